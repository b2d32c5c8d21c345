-- For the live generation, and for each of the others for which the stream waits too.
update readers.parked p
set released_at = clock_timestamp()
where p.reader = $1 and p.stream_id = $2
  and exists (
    select from readers.parked live
    where (live.reader, live.version, live.stream_id) = (p.reader, p.version, p.stream_id) and not live.replay)
