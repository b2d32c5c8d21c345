select token_id, workspace_id, last_used_at from working.api_tokens where token_hash = $1 and expires_at > $2
