select run_id, server_id, bool_or(launched or attempt > 1) as launched from working.run_tasks
where workspace_id = $1 and (state in ('running', 'lost') or attempt > 1) and queued_at > '-infinity'
  and run_id >= $2 and (run_id, server_id) > ($2, $3)
group by run_id, server_id
order by run_id, server_id
limit $4
