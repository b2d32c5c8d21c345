insert into event_log.events (position, tenant_id, stream_type, stream_id, version, event_id, event_type,
  schema_version, data, subjects, sealed, recorded_at, actor, session, request, correlation, causation)
select $1::bigint, $10::uuid, $3::text, $2::uuid, coalesce(max(version), 0) + 1, $4::uuid, $5::text, $6::smallint,
  $7::text::json, array[$2], $8::bytea, $9::timestamptz,
  $2, $4, $4, $4, $4
from event_log.events where stream_id = $2
