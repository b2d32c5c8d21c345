-- Whoever signed out since the restored log may hold a token of it.
with gone as (
  delete from working.sessions
  where session_id in (select session_id from working.sessions limit $2)
  returning session_id, account_id),
closed as (
  insert into working.closings (session_id, account_id, reason, closed_at)
  select session_id, account_id, 'expired', $1 from gone
  on conflict do nothing)
select count(*) from gone
