select position, tenant_id, stream_type, stream_id, version, event_id, event_type, schema_version, data, sealed,
  subjects, actor, session, request, correlation, causation, recorded_at
from event_log.events
where position > $1 and position <= $2 and event_type = any($3)
order by position
