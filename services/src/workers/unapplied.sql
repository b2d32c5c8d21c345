-- The erasures that are not in the log's database, or not in full: a restore can go back to a time between the fence and
-- the deletion of the rows. Tables without an index for it are left out: what they hold is sealed under erased keys.
select s
from unnest($1::uuid[], $2::bool[]) as it (s, completed)
where (select f.subject from event_log.fences f where f.subject = s) is null  -- not exists may read all fences
  or completed and coalesce(  -- exists may read all sessions and mails
    (select true from working.credentials where account_id = s limit 1),
    (select true from working.sessions where account_id = s limit 1),
    (select true from working.outbox where subject_id = s limit 1),
    (select true from working.api_tokens where workspace_id = s limit 1),
    (select true from working.invitations where workspace_id = s limit 1),
    (select true from working.seat_leases where workspace_id = s limit 1),
    (select true from working.server_credentials where workspace_id = s limit 1),
    (select true from working.server_monitors where workspace_id = s limit 1),
    false)
