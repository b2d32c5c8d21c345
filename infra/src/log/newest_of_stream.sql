select position from event_log.events
where stream_id = $1 and event_type = any ($2) and version >= $3 and version < $4
  and ($6::timestamptz is null or recorded_at >= $6) and ($7::timestamptz is null or recorded_at < $7)
  and position >= coalesce((select position from event_log.streams where stream_id = $1), 0)
order by version desc
limit $5
