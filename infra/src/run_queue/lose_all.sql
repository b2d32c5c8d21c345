-- After a restore of the log it is not known whether the command was started since: no node starts it any more.
update working.run_tasks t
set state = 'lost', launched = true, fence = t.fence + 1, node = null, lease_until = null, next_at = null,
  lost_at = clock_timestamp()
from (
  select * from (
    select run_id, server_id, attempt from working.run_tasks
    where state = 'queued' and queued_at > '-infinity' order by queued_at limit $1 for update) queued
  union all
  select * from (
    select run_id, server_id, attempt from working.run_tasks
    where state = 'paused' order by workspace_id, queued_at limit $1 for update) paused
  union all
  select * from (
    select run_id, server_id, attempt from working.run_tasks
    where state = 'running' order by server_id limit $1 for update) running) open
where (t.run_id, t.server_id, t.attempt) = (open.run_id, open.server_id, open.attempt)
