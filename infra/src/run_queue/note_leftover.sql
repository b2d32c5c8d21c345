insert into working.run_leftovers (run_id, server_id, attempt, workspace_id, place, next_at)
select $1::uuid, $2::uuid, $3::integer, $4::uuid, $5::bytea, clock_timestamp() + interval '1 hour'
where not exists (select from event_log.fences where subject = $4)
on conflict do nothing
