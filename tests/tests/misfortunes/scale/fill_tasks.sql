-- Every server is busy: a lost attempt at its deployment may still be at work, and is searched for tomorrow.
with tasks as (
  select ('2' || lpad(to_hex(n), 31, '0'))::uuid as run, ('3' || lpad(to_hex(n), 31, '0'))::uuid as secrets,
    lpad(to_hex(n % 3000), 32, '0')::uuid as server, lpad(to_hex(n % 3000 % 1000), 32, '0')::uuid as workspace,
    n <= 3000 as is_lost, now() - make_interval(secs => $1 - n) as queued_at
  from generate_series(1, $1::bigint) n),
secrets as (
  insert into working.run_secrets (secrets_id, run_id, workspace_id, sealed, created_at)
  select secrets, run, workspace, '', now() - interval '1 day' from tasks)
insert into working.run_tasks (run_id, server_id, attempt, workspace_id, state, queued_at, deployment_id, secrets_id, next_at,
  lost_at)
select run, server, 1, workspace, case when is_lost then 'lost' else 'queued' end, queued_at, server, secrets,
  case when is_lost then now() + interval '1 day' end, case when is_lost then now() end
from tasks
