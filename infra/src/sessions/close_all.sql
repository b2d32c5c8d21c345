with gone as (
  delete from working.sessions
  where account_id = $1 and session_id is distinct from $2
  returning session_id, account_id)
insert into working.closings (session_id, account_id, reason, cause, closed_at)
select session_id, account_id, $3, $4, $5 from gone
on conflict do nothing
returning session_id
