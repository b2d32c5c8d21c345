-- Nobody connects for $6 seconds, whichever node has it then.
update working.server_monitors
set failures = $3, failing_since = $4, refused = $5, next_at = clock_timestamp() + make_interval(secs => $6)
where server_id = $1 and fence = $2
