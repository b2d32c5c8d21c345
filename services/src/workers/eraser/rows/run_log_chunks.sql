delete from working.run_log_chunks where workspace_id = $1
