-- The same columns without what says who and what caused an event, for a fold that does not look: what is not read is
-- neither written by the server nor sent.
select position, tenant_id, stream_type, stream_id, version, event_id, event_type, schema_version, data, sealed,
  '{}'::uuid[], null::uuid, null::uuid, null::uuid, null::uuid, null::uuid, recorded_at
from event_log.events
where position > $1 and position <= $2 and event_type = any($3)
order by position
