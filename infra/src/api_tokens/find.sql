select t.token_id, s.secret_id, t.workspace_id, t.last_used_at
from working.api_token_secrets s join working.api_tokens t using (token_id)
where s.token_hash = $1 and t.expires_at > $2 and t.ended_by is null
