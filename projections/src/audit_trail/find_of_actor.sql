-- The newest events of these types by an actor, since a time: of the trail up to where it had come ($5), of the log behind that, and
-- what the trail lacks of streams that it has parked. Each of these is walked by itself: the log has no index by actor.
select position from (
  select position
  from read_models.audit_trail_v2
  where actor = $1 and event_type = any ($2) and recorded_at >= $3 and position <= $5
  union all
  select position
  from event_log.events
  where position > $5 and actor = $1 and event_type = any ($2) and recorded_at >= $3
  union all
  select lacking.position
  from readers.parked p
  cross join lateral (
    select position
    from event_log.events
    where stream_id = p.stream_id and position >= p.from_position and position <= $5
      and actor = $1 and event_type = any ($2) and recorded_at >= $3
    offset 0) lacking
  where p.reader = 'audit_trail' and p.version = 2 and not p.replay) found
order by position desc
limit $4
