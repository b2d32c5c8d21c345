select pg_export_snapshot() as snapshot, current_setting('server_version_num')::int as server,
  current_setting('server_version') as version, clock_timestamp() as at,
  (select max(version) from refinery_schema_history) as schema,
  coalesce(e.position, 0) as position, e.event_id
from (select) none
left join lateral (select position, event_id from event_log.events order by position desc limit 1) e on true
