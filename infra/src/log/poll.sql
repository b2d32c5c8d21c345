-- The end of the log, and the readers that have released streams.
select coalesce((select max(position) from event_log.events), 0),
  array(select distinct reader || '/' || version from readers.parked where released_at is not null and not replay)
