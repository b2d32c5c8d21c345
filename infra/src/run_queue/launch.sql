update working.run_tasks set launched = true
where run_id = $1 and server_id = $2 and attempt = $3 and fence = $4
