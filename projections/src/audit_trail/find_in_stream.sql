-- As find.sql, of one stream, which the log's own index has in order.
select position
from event_log.events
where stream_id = $9 and position > $1 and position <= $2
  and position >= coalesce((select position from event_log.streams where stream_id = $9), 0)
  and ($3 is null or tenant_id = $3)
  and ($4 is null or actor = $4)
  and ($5 is null or event_type = $5)
  and ($6 is null or recorded_at >= $6)
  and ($7 is null or recorded_at < $7)
