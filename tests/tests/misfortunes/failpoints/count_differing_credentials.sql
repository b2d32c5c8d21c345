with current as (
  select distinct on (stream_id) stream_id, (data::jsonb->>'credential')::uuid as credential
  from event_log.events e
  where event_type in ('account.registered', 'account.password_changed')
    and not exists (
      select from event_log.events o
      where o.stream_id = e.stream_id and o.event_type = 'account.erasure_completed')
  order by stream_id, version desc)
select count(*) from current full join working.credentials
  on credential_id = credential and account_id = stream_id
where credential is null or credential_id is null or not named
