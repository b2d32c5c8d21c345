-- Indexes for what must not cost more with every day, or with every erasure that was.

-- Of the keys that belong to nobody: those that are live, among one a day of all the days that were.
create index keys_of_nobody on keyring.keys (kind, subject, class, number) where wrapped is not null and kind <> 'subject';

-- The roots that are not gone, among one a day.
create index roots_left on keyring.roots (root_id) where state <> 'destroyed' or escrow = 'held';
create index roots_changed on keyring.roots (changed_by) where changed_by > '0';

-- The oldest erasure that is open.
create index erasures_open_by_age on keyring.erasures (requested_at) where state in ('requested', 'fenced', 'destroyed');
-- Those in their days of grace, a page at a time.
create index erasures_requested on keyring.erasures (due, subject) where state = 'requested';
-- Those that a start applies again, a page at a time.
create index erasures_fenced on keyring.erasures (subject)
  where state in ('fenced', 'destroyed', 'completed', 'backup_proven');
