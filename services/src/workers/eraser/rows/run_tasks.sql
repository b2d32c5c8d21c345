delete from working.run_tasks where workspace_id = $1
