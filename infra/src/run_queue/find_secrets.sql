select sealed from working.run_secrets where secrets_id = $1 and workspace_id = $2
