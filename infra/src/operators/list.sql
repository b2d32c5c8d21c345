select token_id, name, scope, issued_at, expires_at, revoked_at
from working.operator_tokens
where $1::timestamptz is null or (issued_at, token_id) > ($1, $2)
order by issued_at, token_id
limit $3
