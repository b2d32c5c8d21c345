-- After a restore of the log it is not known whether a mail that was to be sent has gone.
update working.outbox
set state = 'unknown', finished_at = $1, lease_until = null, trouble = 'the log was restored'
where mail_id in (
  (select mail_id from working.outbox where state = 'queued' order by next_at limit $2)
  union all
  (select mail_id from working.outbox where state = 'sending' order by lease_until limit $2))
