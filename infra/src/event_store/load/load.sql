with snapshot as materialized (
  select s.version, s.state, e.position, e.event_id
  from event_log.snapshots s
  join event_log.events e on (e.stream_id, e.version) = (s.stream_id, s.version)
  where s.stream_id = $1 and s.snapshot_version = $4 and (e.tenant_id, e.stream_type) = ($2, $3)
)
select version, null as event_type, null::smallint as schema_version, state as data, null::bytea as sealed,
  position, event_id
from snapshot
union all (
  select version, event_type, schema_version, data, sealed, position, event_id
  from event_log.events
  where stream_id = $1 and version > coalesce((select version from snapshot), 0)
    and (tenant_id, stream_type) = ($2, $3)
  order by version
)
