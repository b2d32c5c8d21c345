select s.secret_id, t.token_id, t.workspace_id, s.written_at
from working.api_token_secrets s join working.api_tokens t using (token_id)
where s.version is null and s.written_at < $1
order by s.written_at, s.secret_id
limit $2 offset $3
