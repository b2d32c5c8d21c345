insert into event_log.events (position, tenant_id, stream_type, stream_id, version, event_id, event_type,
  schema_version, data, subjects, recorded_at)
values (nextval('drawn'), $1, 'hand', $1, $2, $3, 'hand.wrote', 1, '{}', '{}', clock_timestamp())
