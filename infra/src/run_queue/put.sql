insert into working.run_tasks (run_id, server_id, attempt, workspace_id, state, queued_at, deployment_id,
  secrets_id, timeout_seconds, requester_id)
select $1::uuid, $2::uuid, $3::integer, $4::uuid, 'queued', $5::timestamptz, $6::uuid, $7::uuid, $8::integer, $9::uuid
where not exists (select from event_log.fences where subject = $4)
on conflict do nothing
