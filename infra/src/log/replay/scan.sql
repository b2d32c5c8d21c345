-- What a fold does not look at comes as if the event had none of it: it is neither written by the server nor sent.
select position, tenant_id, stream_type, stream_id, version, event_id, event_type, schema_version, {columns}, recorded_at
from event_log.events
where position > $1 and position <= $2{of_types}
order by position
