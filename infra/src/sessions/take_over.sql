update working.sessions
set token_hash = $1, kind = $4, opened_at = $5::timestamptz, last_used_at = $5, idle_seconds = $6,
    idle_until = $5 + make_interval(secs => $6::integer), absolute_until = $7, account_version = $8
where session_id = $2 and account_id = $3 and opened_at < $9
  and not exists (select from event_log.fences where subject = $3)
