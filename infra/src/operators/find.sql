select token_id, scope, expires_at from working.operator_tokens
where token_hash = $1 and expires_at > $2 and revoked_at is null
