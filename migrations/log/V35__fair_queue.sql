-- A dump holds the table while it runs: better this fails, and is started again after it.
set local lock_timeout = '10s';

-- `working.claim_run_tasks_fair` claims tasks. Nodes of a former version called this one, which V34 has stopped: one that
-- runs on all the same claims no task.
drop function if exists working.claim_run_tasks_after;
delete from event_log.function_revisions where name = 'working.claim_run_tasks_after';

-- Who has requested a task: an account has so many at work, in whatever workspaces. Null: a former
-- version has queued it, or nobody is known; no such limit holds for it.
alter table working.run_tasks add column requester_id uuid;
-- Of a start that was sent: the place that it was sent to, its address sealed. Null: it is not known, or none was sent.
alter table working.run_tasks add column place bytea;
-- How often its processes were to be killed, so that a node that takes it over goes on from there.
alter table working.run_tasks add column kill_tries integer not null default 0;

-- What was to be killed, and may be left.
create index run_tasks_to_kill on working.run_tasks (queued_at) where kill_tries > 0;
create index run_tasks_running_by_requester on working.run_tasks (requester_id) where state = 'running';

-- What waits, by the account, too: where one may have no more at work, others of its workspace do not wait behind it.
-- Neither `workspace_id` nor `state` is ever null. Written so, both are of this index alone: only what asks for them so
-- uses the index, and no plan can take another one for it, whatever the statistics are of.
drop index working.run_tasks_waiting_by_server;
create index run_tasks_waiting_by_queue on working.run_tasks
  (coalesce(workspace_id, '00000000-0000-0000-0000-000000000000'), server_id,
   coalesce(deployment_id, '00000000-0000-0000-0000-000000000000'),
   coalesce(requester_id, '00000000-0000-0000-0000-000000000000'), queued_at, run_id)
  where coalesce(state, '') = 'queued';

-- Folders of attempts that have ended, which could not be removed from their servers: it is tried again.
create table working.run_leftovers (
  run_id       uuid        not null,
  server_id    uuid        not null,
  attempt      integer     not null,
  workspace_id uuid        not null,
  place        bytea,                              -- as working.run_tasks.place
  left_at      timestamptz not null default clock_timestamp(),
  next_at      timestamptz not null,               -- not to be tried before
  tries        integer     not null default 0,
  primary key (run_id, server_id, attempt)
);
create index run_leftovers_by_time on working.run_leftovers (next_at);
create index run_leftovers_of_workspace on working.run_leftovers (workspace_id, run_id);
grant select, insert, update, delete on working.run_leftovers to lethe_app;
