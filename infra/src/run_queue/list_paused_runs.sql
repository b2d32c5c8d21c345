select distinct run_id from working.run_tasks
where state = 'paused' and workspace_id = $1 and queued_at < $2 and run_id > $3
order by run_id
limit $4
