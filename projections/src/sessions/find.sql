select session_id, account_id, tenant_id, kind, ip, user_agent, opened_at, closed_at, close_reason, version, position
from read_models.sessions
where session_id = $1
