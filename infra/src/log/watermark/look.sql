-- Which event stands at a position, and which is the last. Not to be believed on a standby, which may be behind.
select (select event_id from event_log.events where position = $1) as known, h.position, h.event_id,
  pg_is_in_recovery() as standby
from (select) one
left join (select position, event_id from event_log.events order by position desc limit 1) h on true
