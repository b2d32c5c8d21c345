-- Erasures with work are looked for every two seconds: neither the finished ones nor those that only wait for their proof
-- are read for it.
create index erasures_unfinished on keyring.erasures (due) where state in ('requested', 'fenced', 'destroyed');
create index erasures_unproven on keyring.erasures (coalesce(last_root, 0)) where state = 'completed';
