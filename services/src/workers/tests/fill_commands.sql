-- Commands of a workspace, each with a stream and a snapshot of its own.
select event_log.create_partitions_ahead(1000000);
with streams as (
  insert into event_log.events (position, tenant_id, stream_type, stream_id, version, event_id, event_type, schema_version,
    data, subjects, command_id, events, recorded_at)
  select (select max(position) from event_log.events) + n, $1, 'run', gen_random_uuid(), 1, gen_random_uuid(),
    'run.requested', 1, '{}', '{}', gen_random_uuid(), 1, now()
  from generate_series(1, $2) n
  returning stream_id)
insert into event_log.snapshots (stream_id, version, snapshot_version, state) select stream_id, 1, 1, '{}' from streams;
