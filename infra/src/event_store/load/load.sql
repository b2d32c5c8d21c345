with snapshot as materialized (
  select version, state from event_log.snapshots s
  where stream_id = $1 and snapshot_version = $4
    and exists (
      select from event_log.events e
      where (e.stream_id, e.version) = (s.stream_id, s.version)
        and (e.tenant_id, e.stream_type) = ($2, $3))
)
select version, null as event_type, null::smallint as schema_version, state as data, null::bytea as sealed
from snapshot
union all (
  select version, event_type, schema_version, data, sealed
  from event_log.events
  where stream_id = $1 and version > coalesce((select version from snapshot), 0)
    and (tenant_id, stream_type) = ($2, $3)
  order by version
)
