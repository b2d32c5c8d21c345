delete from working.run_secrets where workspace_id = $1
