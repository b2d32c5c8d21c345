-- The trigger of the outbox. A mail that is queued gets the number of failovers that were seen by then. One that was queued
-- before the last of them, and was due at it, may have been claimed on the server that was lost: it is unknown, whichever
-- version claims it for SMTP. One that was never put off was due, whatever the clocks say.
create or replace function working.guard_mails() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  seen working.last_failover;
begin
  perform working.note_failover();
  select f.* into seen from working.last_failover f;
  if new.state = 'queued' then
    new.failovers := seen.failovers;
  elsif new.via = 'smtp' and old.failovers < seen.failovers
    and (old.next_at <= seen.noted_at + interval '10 s' or old.next_at = old.created_at)
  then
    update working.outbox o
    set state = 'unknown', finished_at = clock_timestamp(), trouble = 'the database failed over'
    where o.mail_id = old.mail_id;
    return null;
  end if;
  return new;
end $$;

revoke all on function working.guard_mails from public;

create or replace trigger guard_mails before insert or update of state on working.outbox
for each row when (new.state in ('queued', 'sending')) execute function working.guard_mails();
