-- The events of a stream after the position of its row ($2), which is 0 where there is no row. The row has every event from
-- before $3, as it was found; null: nothing says so. No nearer to the row than where the log's recent part begins, or a plan
-- might read all that was appended since. Where the row is whole before that part, no partition between is read.
-- `(select $1)`, and both bounds of the version: as in `load_after.sql`, one plan serves every call.
select e.position, e.tenant_id, e.stream_type, e.stream_id, e.version, e.event_id, e.event_type, e.schema_version, e.data,
  e.sealed, e.subjects, e.actor, e.session, e.request, e.correlation, e.causation, e.recorded_at
from event_log.events e
where e.stream_id = (select $1::uuid)
  and e.version > (select coalesce(max(version), 0) from event_log.events
    where position = (select $2::bigint) and stream_id = (select $1::uuid))
  and e.version <= (select 9223372036854775807)
  and e.position >= (select coalesce($3::bigint, least(event_log.recent_from(),
    greatest($2, (select position from event_log.streams where stream_id = (select $1::uuid))))))
order by e.version
