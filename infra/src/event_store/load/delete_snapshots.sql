delete from event_log.snapshots
where stream_id = $1
  or stream_id in (select stream_id from event_log.events where tenant_id = $1 and command_id is not null)
