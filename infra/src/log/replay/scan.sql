-- The last position comes whatever its type is: if it is the n-th of n, there is no hole before it.
select position, tenant_id, stream_type, stream_id, version, event_id, event_type, schema_version, data, sealed,
  subjects, actor, session, request, correlation, causation, recorded_at, nth
from (
  select *, row_number() over (order by position) as nth from event_log.events where position > $1 and position <= $2
) numbered
where event_type = any($3) or position = $2
order by position
