-- Where an event of a stream stands.
select position
from event_log.events
where stream_id = $1 and version = $2
  and position >= (select position from event_log.streams where stream_id = $1)
