-- A crash that loses this commit loses the rows with it, so nobody waits for the disk. $10 is the event that was read at
-- $6: a log that went back has another there, or none, and then no checkpoint moves.
update readers.checkpoints
set position = $6, processed = processed + $7, last_event_at = coalesce($8, last_event_at), last_error = null,
  updated_at = clock_timestamp(), lease_until = clock_timestamp() + make_interval(secs => $9)
where name = $1 and version = $2 and node = $3 and fence = $4 and position = $5
  and set_config('synchronous_commit', 'off', true) = 'off'
  and ($10::uuid is null or exists (select from event_log.events where position = $6 and event_id = $10))
