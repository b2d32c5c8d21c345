delete from working.api_tokens where workspace_id = $1
