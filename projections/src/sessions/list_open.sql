select session_id, account_id, tenant_id, kind, ip, user_agent, opened_at, closed_at, close_reason, version, position
from read_models.sessions
where account_id = $1 and closed_at is null
  and (opened_at, session_id) > ($2, $3) and (opened_at, session_id) < ($4, $5)
  and ($6::text is null or kind = $6)
