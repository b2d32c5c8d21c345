-- A dump holds these tables while it runs: better this fails, and is started again after it.
set local lock_timeout = '10s';

-- Which mails were queued before the last failover is found by a number: it marks none of them. Nodes of the version before
-- look at `outbox.in_doubt`, which a later migration drops.
alter table working.last_failover
  add column failovers bigint      not null default 0,                  -- how many were seen
  add column noted_at  timestamptz not null default clock_timestamp();  -- when the last of them was
alter table working.outbox add column failovers bigint not null default 0;  -- how many were seen when it was queued
create index outbox_queued_by_failovers on working.outbox (failovers, next_at) where state = 'queued';
update working.outbox set failovers = -1 where in_doubt;

-- The tasks of a workspace that may have processes on their servers, page by page.
drop index working.run_tasks_begun_of_workspace;
create index run_tasks_begun_of_workspace on working.run_tasks (workspace_id, run_id, server_id)
  where state in ('running', 'lost') or attempt > 1;

-- Lost attempts that were looked for no more are looked for once more within a day, and then ever more seldom.
update working.run_tasks set next_at = clock_timestamp() + random() * interval '1 day'
where state = 'lost' and coalesce(next_at, '-infinity') = 'infinity';
