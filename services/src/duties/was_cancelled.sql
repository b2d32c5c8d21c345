select exists (
  select from event_log.events
  where stream_id = $1 and event_type = 'account.erasure_cancelled' and recorded_at >= $2)
