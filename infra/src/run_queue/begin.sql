update working.run_tasks
set state = 'running', launched = true, lost_at = null,
  started_at = coalesce(started_at, clock_timestamp()),
  deadline = coalesce(deadline, clock_timestamp() + make_interval(secs => timeout_seconds))
where run_id = $1 and server_id = $2 and attempt = $3 and fence = $4
returning extract(epoch from deadline - clock_timestamp())::float8
