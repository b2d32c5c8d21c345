select exists (
  select from event_log.events
  where stream_id = $1 and event_type in ('account.erasure_cancelled', 'workspace.deletion_cancelled') and recorded_at >= $2)
