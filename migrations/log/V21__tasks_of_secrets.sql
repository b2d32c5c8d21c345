-- A dump holds these tables while it runs: better this fails, and is started again after it.
set local lock_timeout = '10s';

drop index working.run_secrets_by_age;
-- Whether a task still needs the secrets of its run is asked at its end: without this, of the whole queue.
create index run_tasks_of_secrets on working.run_tasks (secrets_id) where secrets_id is not null;

-- The sweep reads secrets a page at a time, also where many were written at once.
create index run_secrets_in_order on working.run_secrets (created_at, secrets_id);
