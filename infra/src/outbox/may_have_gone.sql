-- Whether an event stood in the log at the last failover. The events of a stream that was parked then had caused no mail.
select $1::bigint <= f.through and not exists (
  select from readers.parked p
  where p.reader = $2 and p.version = 1 and not p.replay and p.stream_id = $3 and p.parked_at <= f.noted_at)
from working.last_failover f
