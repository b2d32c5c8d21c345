select session_id, account_id, reason, cause, closed_at from working.closings
where closed_at <= $1 or cause is not null or reason in ('idle', 'expired')
order by closed_at
limit $2
