select session_id, account_id, kind, opened_at, last_used_at, idle_until, absolute_until
from working.sessions
where token_hash = $1 and idle_until > $2 and absolute_until > $2
  and not exists (select from event_log.fences where subject = account_id)
