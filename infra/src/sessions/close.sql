with gone as (delete from working.sessions where session_id = $1 returning session_id, account_id)
insert into working.closings (session_id, account_id, reason, closed_at)
select session_id, account_id, $2, $3 from gone
on conflict do nothing
