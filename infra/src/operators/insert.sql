insert into working.operator_tokens (token_id, token_hash, scope, issued_at, expires_at, name)
values ($1, $2, $3, $4, $5, $6)
on conflict (token_id) do nothing
