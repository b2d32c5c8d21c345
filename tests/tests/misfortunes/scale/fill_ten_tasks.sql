-- As many as are missing to ten, each of a workspace and a server of its own.
with tasks as (
  select gen_random_uuid() as run, gen_random_uuid() as server, gen_random_uuid() as workspace, gen_random_uuid() as secrets
  from generate_series(1, 10 - (select count(*) from working.run_tasks where state = 'queued')) n),
secrets as (
  insert into working.run_secrets (secrets_id, run_id, workspace_id, sealed, created_at)
  select secrets, run, workspace, '', now() from tasks)
insert into working.run_tasks (run_id, server_id, attempt, workspace_id, state, queued_at, deployment_id, secrets_id)
select run, server, 1, workspace, 'queued', clock_timestamp(), server, secrets
from tasks
