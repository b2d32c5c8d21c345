select token_id, name, scope, issued_at, expires_at, revoked_at
from working.operator_tokens
where (issued_at, token_id) > ($1, $2) and (issued_at, token_id) < ($3, $4)
  and ($5::text is null
    or $5 = case when revoked_at is not null then 'revoked' when expires_at <= $6 then 'expired' else 'live' end)
