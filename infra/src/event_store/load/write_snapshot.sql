insert into event_log.snapshots as kept (stream_id, version, snapshot_version, state)
values ($1, $2, $3, $4)
on conflict (stream_id) do update
set version = excluded.version, snapshot_version = excluded.snapshot_version, state = excluded.state, taken_at = now()
where kept.snapshot_version <> excluded.snapshot_version or kept.version < excluded.version
