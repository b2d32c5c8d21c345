select s.token_hash, t.ended_by is not null
from working.api_token_secrets s join working.api_tokens t using (token_id)
where s.secret_id = $1
