-- With a task that may not begin, others of its workspace that wait. One that was launched, and did not arrive, may begin
-- to run on its server yet: it is looked at again, now and then.
with own as (
  update working.run_tasks
  set state = case when launched then 'running' when cancel then 'queued' else 'paused' end, node = null, lease_until = null,
    next_at = case when launched and not cancel then clock_timestamp() + interval '5 minutes' else next_at end,
    seen_at = case when launched then null else seen_at end
  where run_id = $1 and server_id = $2 and attempt = $3 and fence = $4 and state = 'running'
  returning workspace_id, launched),
others as materialized (
  select q.run_id, q.server_id, q.attempt
  from own cross join lateral (
    select run_id, server_id, attempt from working.run_tasks
    where state = 'queued' and workspace_id = own.workspace_id and not own.launched and not cancel
    order by queued_at, run_id, server_id limit $5
    for update skip locked) q)
update working.run_tasks t set state = 'paused'
from others o where (t.run_id, t.server_id, t.attempt) = (o.run_id, o.server_id, o.attempt)
