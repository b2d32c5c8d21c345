select * from keyring.erasures
where append_pending and state = 'requested' and requested_at <= $1
order by requested_at, subject
limit $2 offset $3
