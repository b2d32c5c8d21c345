-- What was read is read again from nothing. Their tables go with the next sweep.
update readers.generations
set state = 'dropped', ended_at = clock_timestamp(), keep_until = null
where name = $1 and version = $2 and state in ('joined', 'live', 'kept')
