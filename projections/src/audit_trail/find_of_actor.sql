-- The newest events of these types by an actor, since a time: of the trail up to where it had come ($5), and of the log behind that.
select position from (
  select position
  from read_models.audit_trail_v2
  where actor = $1 and event_type = any ($2) and recorded_at >= $3 and position <= $5
  union all
  select position
  from event_log.events
  where position > $5 and actor = $1 and event_type = any ($2) and recorded_at >= $3) found
order by position desc
limit $4
