with attached as (
  select distinct on (stream_id) stream_id, (data::jsonb->>'credential')::uuid as credential
  from event_log.events e
  where event_type in ('server.credential_attached', 'server.credential_rotated')
    and not exists (
      select from event_log.events o
      where o.stream_id = e.stream_id and o.event_type = 'server.removed')
    and not exists (
      select from event_log.events o
      where o.tenant_id = e.tenant_id and o.event_type = 'workspace.deleted')
  order by stream_id, version desc)
select count(*) from attached full join working.server_credentials
  on credential_id = credential and server_id = stream_id
where credential is null or credential_id is null or not named
