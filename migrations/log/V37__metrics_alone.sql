-- A dump holds these tables while it runs: better this fails, and is started again after it.
set local lock_timeout = '10s';

-- Each metric of a sample may be missing alone. The partitions follow. Nodes of before V34, for which they are stopped, would
-- not read what has none.
alter table working.server_samples
  alter column memory_used    drop not null,
  alter column memory_total   drop not null,
  alter column disk_used      drop not null,
  alter column disk_total     drop not null,
  alter column load           drop not null,
  alter column uptime_seconds drop not null;

alter table working.server_monitors
  add column next_at           timestamptz,                 -- nobody connects before, by the database's clock
  add column refused           integer not null default 0,  -- of the failures, how often the credential was refused
  add column stopped_at        timestamptz,                 -- too often: nobody has it, and nobody connects
  add column opinion_wanted_at timestamptz,                 -- its node has found it unreachable, and asks another one
  add column opinion_by        uuid,                        -- the one that tries
  add column opinion           boolean,                     -- whether that one has reached it
  add check (stopped_at is null or node is null);
create index server_monitors_stopped on working.server_monitors (stopped_at) where stopped_at is not null;
