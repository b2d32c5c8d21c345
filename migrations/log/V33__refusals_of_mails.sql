-- A dump holds this table while it runs: better this fails, and is started again after it.
set local lock_timeout = '10s';

-- `recipient`: the mail server takes no mail for this address. `other`: any other refusal. Null: none, or that of a programme
-- which did not write it.
alter table working.outbox add column refusal text;
