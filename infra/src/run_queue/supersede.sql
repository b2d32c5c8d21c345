-- An attempt that may run is left as leave.sql does it.
with deleted as (
  delete from working.run_tasks where run_id = $1 and server_id = $2 and attempt < $3 and not launched)
update working.run_tasks
set state = 'lost', cancel = false, node = null, lease_until = null, next_at = 'infinity', deployment_id = null,
  secrets_id = null, lost_at = coalesce(lost_at, clock_timestamp())
where run_id = $1 and server_id = $2 and attempt < $3 and launched
