-- A stream's events up to a position. Partitions before its first event are not read.
select position, tenant_id, stream_type, stream_id, version, event_id, event_type, schema_version, data, sealed,
  subjects, actor, session, request, correlation, causation, recorded_at
from event_log.events
where stream_id = $1 and position <= $2
  and position >= coalesce((select position from event_log.streams where stream_id = $1), 0)
order by version
