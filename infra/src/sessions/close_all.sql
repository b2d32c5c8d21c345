-- Answers also those that the same cause has closed before, and whose closing is not in the log yet.
with gone as (
  delete from working.sessions s
  where account_id = $1 and session_id is distinct from $2
    and case when account_version is null
      then not exists (
        select from event_log.events e
        where e.stream_id = s.session_id and e.version = 1 and e.position > $6)
      else account_version < $7 end
  returning session_id, account_id),
closed as (
  insert into working.closings (session_id, account_id, reason, cause, closed_at)
  select session_id, account_id, $3, $4, $5 from gone
  on conflict do nothing
  returning session_id)
select session_id from closed
union
select session_id from working.closings where account_id = $1 and cause = $4
