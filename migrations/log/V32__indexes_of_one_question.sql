-- A dump holds the table while it runs: better this fails, and is started again after it.
set local lock_timeout = '10s';

-- While statistics are old, PostgreSQL takes any index whose condition it can prove, and reads all of it: a claim read
-- 300,000 lost tasks for each that it took. What these two hold is proven by questions that name the time only.
drop index working.run_tasks_by_age;
create index run_tasks_by_age on working.run_tasks (queued_at) where state = 'queued' and queued_at > '-infinity';
drop index working.run_tasks_begun_of_workspace;
create index run_tasks_begun_of_workspace on working.run_tasks (workspace_id, run_id, server_id)
  where (state in ('running', 'lost') or attempt > 1) and queued_at > '-infinity';
