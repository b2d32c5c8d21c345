-- Of working.claim_run_tasks: what runs, by its server and its workspace, and since when a task can be taken. After a
-- restore of the log every task is lost, so that nothing may read all that are.
create index run_tasks_running on working.run_tasks (server_id) where state = 'running';
create index run_tasks_running_by_workspace on working.run_tasks (workspace_id) where state = 'running';
-- No index has `lease_until`, which each renewal changes.
create index run_tasks_lost_by_time on working.run_tasks (coalesce(next_at, '-infinity')) where state = 'lost';
