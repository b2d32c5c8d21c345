select (
    select count(*) from (
      select from working.run_tasks where state = 'queued' and workspace_id = $1
      order by queued_at, run_id, server_id limit $2) queued)
  + (
    select count(*) from (
      select from working.run_tasks where state = 'paused' and workspace_id = $1
      order by queued_at limit $2) paused)
