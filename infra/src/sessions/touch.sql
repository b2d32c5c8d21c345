update working.sessions
set last_used_at = greatest(last_used_at, $2::timestamptz),
    idle_until = greatest(idle_until, $2::timestamptz + make_interval(secs => idle_seconds))
where token_hash = $1
returning idle_until
