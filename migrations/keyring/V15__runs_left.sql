-- A dump holds this table while it runs: better this fails, and is started again after it.
set local lock_timeout = '10s';

-- Of a workspace, the runs that were not ended on their servers before its keys were erased, and those servers, in the
-- same order. Null: an account, or an erasure by an earlier version.
alter table keyring.erasures
  add column runs_left uuid[],
  add column runs_left_servers uuid[];
