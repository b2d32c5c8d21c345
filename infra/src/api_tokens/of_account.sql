select token_id, workspace_id, name, issued_at, last_used_at from working.api_tokens
where account_id = $1 and ended_by is null and expires_at > $2
order by issued_at, token_id
