-- After a restore of the log it is not known whether the command was started since: no node starts it any more.
update working.run_tasks t
set state = 'lost', launched = true, fence = t.fence + 1, node = null, lease_until = null, next_at = null,
  lost_at = clock_timestamp()
from (
  select run_id, server_id, attempt from working.run_tasks
  where state in ('queued', 'paused', 'running') and ($2::uuid is null or run_id = $2)
  limit $1 for update) open
where (t.run_id, t.server_id, t.attempt) = (open.run_id, open.server_id, open.attempt)
