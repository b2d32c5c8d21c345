insert into working.sessions (token_hash, session_id, account_id, kind, opened_at, last_used_at,
  idle_seconds, idle_until, absolute_until, account_version)
select $1, $2, $3, $4, $5::timestamptz, $5, $6, $5 + make_interval(secs => $6::integer), $7, $8
where not exists (select from event_log.fences where subject = $3)
  and not exists (select from working.closings where session_id = $2)
on conflict do nothing
