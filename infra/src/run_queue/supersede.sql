-- An attempt that may run is left as leave.sql does it, and whoever still has it writes nothing under its fence any more.
-- Other runs of its deployment go on waiting for it; the later attempt, which ends it, does not.
with deleted as (
  delete from working.run_tasks where run_id = $1 and server_id = $2 and attempt < $3 and not launched)
update working.run_tasks
set state = 'lost', fence = fence + 1, cancel = false, node = null, lease_until = null,
  secrets_id = null, lost_at = coalesce(lost_at, clock_timestamp()),
  next_at = clock_timestamp() + greatest(interval '1 day', clock_timestamp() - lost_at)
where run_id = $1 and server_id = $2 and attempt < $3 and launched
