update readers.parked set released_at = clock_timestamp()
where reader = $1 and stream_id = $2 and not replay
