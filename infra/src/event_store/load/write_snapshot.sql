-- The commit is not waited for on disk: where a snapshot is lost, a load reads more events. None is written of a subject
-- with a fence, of which closing events may still be loaded; the eraser deletes once more, a second after the fence,
-- what was on its way before it.
insert into event_log.snapshots as kept (stream_id, version, snapshot_version, state, position)
select $1::uuid, $2::bigint, $3::smallint, $4::json, $5::bigint
from set_config('synchronous_commit', 'off', true)
where not exists (select from event_log.fences where subject in ($1, $6::uuid))
on conflict (stream_id) do update
set version = excluded.version, snapshot_version = excluded.snapshot_version, state = excluded.state, taken_at = now(),
  position = excluded.position
where kept.snapshot_version <> excluded.snapshot_version or kept.version < excluded.version or kept.position is null
  or $7::boolean
