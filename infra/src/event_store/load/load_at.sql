select version, event_type, schema_version, data, sealed, position, event_id
from event_log.events
where stream_id = $1 and (tenant_id, stream_type) = ($2, $3)
  and position >= (select position from event_log.streams where stream_id = $1)
  and version <= $4
order by version
