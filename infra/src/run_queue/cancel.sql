update working.run_tasks set cancel = true, next_at = null
where run_id = $1 and server_id = $2 and attempt = $3 and state <> 'lost'
