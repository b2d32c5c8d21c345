select session_id, account_id, reason, cause from working.closings
where closed_at <= $1
order by closed_at
limit $2
