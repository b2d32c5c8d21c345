-- A lost one is looked for at once, also one that was cancelled before and is looked for seldom. What waits may be a later attempt than one that is lost.
update working.run_tasks
set cancel = true, next_at = null, state = case state when 'paused' then 'queued' else state end
where (run_id, server_id, attempt) in (
  select run_id, server_id, attempt from working.run_tasks
  where workspace_id = $1 and (state in ('running', 'lost') or attempt > 1)
    and (not cancel or next_at > clock_timestamp() + interval '1 minute')
  limit $2)
