update working.run_tasks set state = 'queued'
where (run_id, server_id, attempt) in (
  select run_id, server_id, attempt from working.run_tasks
  where state = 'paused' and workspace_id = $1 and cancel
  limit $2
  for update)
