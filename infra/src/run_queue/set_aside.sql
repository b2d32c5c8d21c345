-- With a task that may not begin, others of its workspace that wait.
with own as (
  update working.run_tasks set state = case when cancel then 'queued' else 'paused' end, node = null, lease_until = null
  where run_id = $1 and server_id = $2 and attempt = $3 and fence = $4 and state = 'running' and not launched
  returning workspace_id),
others as materialized (
  select q.run_id, q.server_id, q.attempt
  from own cross join lateral (
    select run_id, server_id, attempt from working.run_tasks
    where state = 'queued' and workspace_id = own.workspace_id and not cancel
    order by queued_at, run_id, server_id limit $5
    for update skip locked) q)
update working.run_tasks t set state = 'paused'
from others o where (t.run_id, t.server_id, t.attempt) = (o.run_id, o.server_id, o.attempt)
