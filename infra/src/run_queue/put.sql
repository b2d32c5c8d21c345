insert into working.run_tasks (run_id, server_id, attempt, workspace_id, state, queued_at, deployment_id,
  secrets_id, timeout_seconds)
values ($1, $2, $3, $4, 'queued', $5, $6, $7, $8)
on conflict do nothing
