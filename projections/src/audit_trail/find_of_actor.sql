-- The newest events of these types by an actor, since a time: of the trail, and of the log what the trail has not come to.
select position from (
  select position
  from read_models.audit_trail_v2
  where actor = $1 and event_type = any ($2) and recorded_at >= $3
  union all
  select position
  from event_log.events
  where position > (select coalesce(max(position), 0) from read_models.audit_trail_v2)
    and actor = $1 and event_type = any ($2) and recorded_at >= $3) found
order by position desc
limit $4
