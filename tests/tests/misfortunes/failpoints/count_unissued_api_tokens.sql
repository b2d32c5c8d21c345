select count(*) from working.api_tokens
where token_id::text not in (
  select data::jsonb->>'token' from event_log.events e
  where event_type = 'workspace.api_token_issued'
    and not exists (
      select from event_log.events o
      where o.stream_id = e.stream_id and o.version > e.version
        and o.event_type = 'workspace.api_token_revoked'
        and o.data::jsonb->>'token' = e.data::jsonb->>'token'))
