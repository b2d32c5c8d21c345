select version, event_type, schema_version, data, sealed, position, event_id
from event_log.events
where stream_id = $1 and version > $4 and (tenant_id, stream_type) = ($2, $3)
order by version
