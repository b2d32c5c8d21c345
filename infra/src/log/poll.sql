-- The readers that have released streams; then the columns of watermark/look.sql.
select array(select distinct reader || '/' || version from readers.parked where released_at is not null and not replay),
  (select event_id from event_log.events where position = $1) as known, h.position, h.event_id,
  pg_is_in_recovery() as standby
from (select) one
left join (select position, event_id from event_log.events order by position desc limit 1) h on true
