select position, tenant_id, stream_type, stream_id, version, event_id, event_type, schema_version, data, sealed,
  subjects, actor, session, request, correlation, causation, recorded_at
from event_log.events
where position = any ($1)
order by position
