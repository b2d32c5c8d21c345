-- It was reached: it is watched as one that is new, if it was not watched.
update working.server_monitors
set fence = fence + 1, node = null, failures = 0, failing_since = null, refused = 0, next_at = null,
  stopped_at = null
where server_id = $1 and stopped_at is not null
