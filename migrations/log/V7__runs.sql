-- Runs: each server of a run is a task, and whoever works on it holds its fence.
create table working.run_tasks (
  run_id       uuid        not null,
  server_id    uuid        not null,
  attempt      integer     not null,
  workspace_id uuid        not null,
  state        text        not null,
  fence        bigint      not null default 0,   -- grows with each worker that takes the task
  node         uuid,
  lease_until  timestamptz,
  queued_at    timestamptz not null,
  primary key (run_id, server_id, attempt)
);

grant select, insert, update, delete on working.run_tasks to lethe_app;
