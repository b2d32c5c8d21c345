update working.run_tasks
set state = 'lost', node = null, lease_until = null, lost_at = coalesce(lost_at, clock_timestamp()),
  next_at = clock_timestamp() + make_interval(secs => $5)
where run_id = $1 and server_id = $2 and attempt = $3 and fence = $4
