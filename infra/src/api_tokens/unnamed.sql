select token_id, workspace_id, account_id, account_version, issued_at from working.api_tokens
where not named and ended_by is null and issued_at < $1
order by issued_at, token_id
limit $2 offset $3
