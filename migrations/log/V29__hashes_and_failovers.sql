-- A dump holds these tables while it runs: better this fails, and is started again after it.
set local lock_timeout = '10s';

-- No event is ever deleted: what retention ends will be blanked, and keeps its position.
revoke delete on event_log.events from lethe_retention;

-- Statistics of this column would hold hashes of people who are erased. Those that ANALYZE has taken are deleted by the
-- second statement: the type stays what it is.
alter table working.credentials alter column hash set statistics 0;
alter table working.credentials alter column hash type text;

-- The last failover that was seen: until then a mail may have gone, although no row says so.
create table working.last_failover (
  only_row boolean primary key default true check (only_row),
  history  text   not null,                  -- whose commits the database goes on with
  through  bigint not null                   -- the newest event then; 0: no failover was seen
);
grant select, insert, update on working.last_failover to lethe_app;
alter table working.outbox add column in_doubt boolean not null default false;  -- its claim may be lost
create index outbox_in_doubt on working.outbox (mail_id) where in_doubt;
