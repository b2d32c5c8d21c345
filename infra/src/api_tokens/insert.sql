insert into working.api_tokens (token_id, token_hash, workspace_id, account_id, name, issued_at, expires_at)
values ($1, $2, $3, $4, $5, $6, $7)
on conflict (token_id) do nothing
