-- $6: the kinds that this version knows; a newer node has put the others, and sends them. A file that is written twice is
-- one mail: only by SMTP would a mail of before a failover go twice. give_up_in_doubt.sql looks at those first.
with for_a_folder as (
  select mail_id from working.outbox
  where $2 = 'folder' and state = 'queued' and next_at <= $3 and kind = any ($6)
  order by next_at
  limit $5
  for update skip locked),
for_smtp as (
  select mail_id from working.outbox
  where $2 = 'smtp' and state = 'queued' and next_at <= $3 and kind = any ($6)
    and failovers = (select f.failovers from working.last_failover f)
  order by next_at
  limit $5
  for update skip locked)
update working.outbox o
set state = 'sending', node = $1, via = $2, fence = fence + 1,
  lease_until = clock_timestamp() + make_interval(secs => $4), attempts = attempts + 1
from (select mail_id from for_a_folder union all select mail_id from for_smtp) due
where o.mail_id = due.mail_id
returning o.mail_id, cause, kind, tenant_id, subject_id, address, proof_id, until, attempts, fence
