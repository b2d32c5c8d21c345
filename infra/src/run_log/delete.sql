delete from working.run_log_chunks
where run_id = $1 and server_id = $2 and attempt = $3 and workspace_id = $4
