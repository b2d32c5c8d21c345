-- The columns of a page of the log, in its order.
select position, tenant_id, stream_type, stream_id, version, event_id, event_type, schema_version, data, sealed,
  subjects, actor, session, request, correlation, causation, recorded_at
from event_log.events
where stream_id = $1 and version < $2 and event_type in ('account.registered', 'account.email_changed')
order by version desc
limit 1
