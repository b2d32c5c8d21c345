-- What the events of these types among these versions of a stream name, the oldest first.
select (data ->> $5)::uuid, version from event_log.events
where stream_id = $1 and event_type = any ($2) and version > $3 and version <= $4
  and position >= coalesce((select position from event_log.streams where stream_id = $1), 0)
order by version
