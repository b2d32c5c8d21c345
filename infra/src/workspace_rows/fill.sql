insert into working.run_tasks (run_id, server_id, attempt, workspace_id, state, queued_at)
select gen_random_uuid(), gen_random_uuid(), 1, $1, 'queued', now() from generate_series(1, $2);

insert into working.run_secrets (secrets_id, run_id, workspace_id, sealed)
select gen_random_uuid(), gen_random_uuid(), $1, '' from generate_series(1, $2);

insert into working.run_leftovers (run_id, server_id, attempt, workspace_id, next_at)
select gen_random_uuid(), gen_random_uuid(), 1, $1, now() from generate_series(1, $2);

-- Runs of ten chunks, over three days.
select working.create_run_log_partitions('2026-01-01', '2026-01-03');
insert into working.run_log_chunks (run_id, server_id, attempt, seq, day, workspace_id, fence, at, first_line, last_line,
  out_bytes, err_bytes, all_bytes, out_end, err_end, all_end, out_offset, err_offset, out_skip, err_skip, truncated, sealed)
select run, run, 1, seq, date '2026-01-01' + n % 3, $1, 1, '2026-01-01', 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, false, ''
from (select n, gen_random_uuid() as run from generate_series(1, $2 / 10) n) runs, generate_series(1, 10) seq;

-- A snapshot for each stream.
select event_log.create_partitions_ahead(1000000);
with streams as (
  insert into event_log.events (position, tenant_id, stream_type, stream_id, version, event_id, event_type, schema_version,
    data, subjects, command_id, events, recorded_at)
  select coalesce((select max(position) from event_log.events), 0) + n, $1, 'run', gen_random_uuid(), 1, gen_random_uuid(),
    'run.requested', 1, '{}', '{}', gen_random_uuid(), 1, now()
  from generate_series(1, $2) n
  returning stream_id)
insert into event_log.snapshots (stream_id, version, snapshot_version, state) select stream_id, 1, 1, '{}' from streams;
