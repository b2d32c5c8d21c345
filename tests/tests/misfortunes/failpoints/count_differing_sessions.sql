with opened as (
  select stream_id from event_log.events where event_type = 'session.opened'
  except
  select stream_id from event_log.events where event_type = 'session.closed')
select count(*) from opened full join working.sessions on stream_id = session_id
where stream_id is null or session_id is null
