-- Where the last event of a stream stands that was recorded at a time or before; with those before it, whatever the clock
-- said of them.
select coalesce(max(position), 0)
from event_log.events
where stream_id = $1 and recorded_at <= $2
  and position >= coalesce((select position from event_log.streams where stream_id = $1), 0)
