delete from working.run_tasks
where run_id = $1 and server_id = $2 and attempt = $3 and state = 'queued'
