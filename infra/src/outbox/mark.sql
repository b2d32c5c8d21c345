-- A mail that was given up as unknown may still turn out to have gone.
update working.outbox
set state = $4, next_at = $5, finished_at = $6, trouble = $7, refusal = $8, lease_until = null
where mail_id = $1 and node = $2 and fence = $3
  and (state = 'sending' or state = 'unknown' and $4 = 'sent')
