with over as (
  select session_id from working.sessions
  where least(idle_until, absolute_until) <= $1
  order by least(idle_until, absolute_until)
  limit $2
  for update skip locked),
gone as (
  delete from working.sessions
  where session_id = any (array(select session_id from over))
  returning session_id, account_id, absolute_until)
insert into working.closings (session_id, account_id, reason, closed_at)
select session_id, account_id, case when absolute_until <= $1 then 'expired' else 'idle' end, $1
from gone
on conflict do nothing
