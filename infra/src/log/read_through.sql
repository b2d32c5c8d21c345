-- The events of a stream after the position of its row, which is 0 where there is no row. No nearer to it than where the
-- log's recent part begins, or a plan might read all that was appended since. The row of a reader that has come to the
-- recent part has every event before it, unless the stream is parked: no partition between is read.
select e.position, e.tenant_id, e.stream_type, e.stream_id, e.version, e.event_id, e.event_type, e.schema_version, e.data,
  e.sealed, e.subjects, e.actor, e.session, e.request, e.correlation, e.causation, e.recorded_at
from event_log.events e
where e.stream_id = $1
  and e.version > coalesce((select version from event_log.events where position = $2 and stream_id = $1), 0)
  and e.position >= case
    when $2 > 0
      and (select c.position from readers.checkpoints c where (c.name, c.version) = ($3, $4)) >= event_log.recent_from()
      and not exists (select from readers.parked p where (p.reader, p.version, p.stream_id) = ($3, $4, $1))
    then event_log.recent_from()
    else least(event_log.recent_from(), greatest($2, (select position from event_log.streams where stream_id = $1))) end
order by e.version
