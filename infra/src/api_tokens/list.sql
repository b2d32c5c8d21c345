select token_id, name, issued_at, last_used_at from working.api_tokens where workspace_id = $1
