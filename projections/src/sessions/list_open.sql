select session_id, account_id, tenant_id, kind, ip, user_agent, opened_at, closed_at, close_reason, version, position
from read_models.sessions
where account_id = $1 and closed_at is null and (opened_at, session_id) < ($2, $3)
order by opened_at desc, session_id desc
limit $4
