-- A page of the sessions after $2; answers their number, and the last of them. Deleted rows that are not vacuumed are
-- not walked again. Whoever signed out since the restored log may hold a token of it.
with page as (
  select session_id from working.sessions where session_id > $2 order by session_id limit $3),
gone as (
  delete from working.sessions where session_id = any (array(select session_id from page))
  returning session_id, account_id),
closed as (
  insert into working.closings (session_id, account_id, reason, closed_at)
  select session_id, account_id, 'expired', $1 from gone
  on conflict do nothing)
select (select count(*) from page), session_id from page order by session_id desc limit 1
