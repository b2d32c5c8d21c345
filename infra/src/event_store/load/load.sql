-- The first row says from which version and position on the events are needed, with the state of the snapshot that was
-- taken there; no row: the stream has no events. If that is in the log's recent part, its events follow, the snapshot's
-- own first; else none, and `load_after.sql` reads them. The stream's id comes from `start`: no plan can rest on how long
-- this stream is believed to be, else one would be made for each load.
with start as materialized (
  select s.stream_id, coalesce(k.version, 0) as version, k.state, coalesce(k.position, s.position) as position
  from event_log.streams s
  left join event_log.snapshots k
    on k.stream_id = s.stream_id and k.snapshot_version = $4 and k.position is not null
  where s.stream_id = $1
)
select version, null as event_type, null::smallint as schema_version, state as data, null::bytea as sealed, position,
  null::uuid as event_id, position >= event_log.recent_from() as recent
from start
union all (
  select version, event_type, schema_version, data, sealed, position, event_id, null
  from event_log.events
  where stream_id = (select stream_id from start) and version >= (select version from start)
    and (tenant_id, stream_type) = ($2, $3)
    and position >= event_log.recent_from() and (select position from start) >= event_log.recent_from()
  order by version
)
