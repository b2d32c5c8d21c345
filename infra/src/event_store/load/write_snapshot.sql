insert into event_log.snapshots as kept (stream_id, version, snapshot_version, state, position)
values ($1, $2, $3, $4, $5)
on conflict (stream_id) do update
set version = excluded.version, snapshot_version = excluded.snapshot_version, state = excluded.state, taken_at = now(),
  position = excluded.position
where kept.snapshot_version <> excluded.snapshot_version or kept.version < excluded.version or kept.position is null
