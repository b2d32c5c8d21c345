update readers.checkpoints
set fence = fence + 1, node = null, lease_until = null, last_error = null, updated_at = clock_timestamp()
where name = $1 and version = $2
