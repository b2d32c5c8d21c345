select from working.run_log_chunks
where run_id = $1 and server_id = $2 and attempt = $3 and seq = $4 and day = $5 and sealed = $6
