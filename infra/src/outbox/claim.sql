-- $6: the kinds that this version knows; a newer node has put the others, and sends them. A file that is written twice is
-- one mail: only by SMTP would a mail in doubt go twice.
with due as (
  select mail_id from working.outbox
  where state = 'queued' and next_at <= $3 and kind = any ($6) and not (in_doubt and $2 = 'smtp')
  order by next_at
  limit $5
  for update skip locked)
update working.outbox o
set state = 'sending', node = $1, via = $2, fence = fence + 1, in_doubt = false,
  lease_until = clock_timestamp() + make_interval(secs => $4), attempts = attempts + 1
from due where o.mail_id = due.mail_id
returning o.mail_id, cause, kind, tenant_id, subject_id, address, proof_id, until, attempts, fence
