-- Fences a subject: after this commit none of its events is appended but those of the types `to_close`. An append
-- holds the lock from before it reads the fences until its own commit is visible, so it comes wholly before the
-- fence or wholly after. The reservations of the subject are deleted in the same commit: its address is free again. Its
-- memberships are ended afterwards: working.departures.
-- Answers the last position before the fence; called again, it answers the same position.
create or replace function event_log.fence(of_subject uuid, to_close text[]) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare last bigint;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    raise exception 'a fence needs read committed: a snapshot younger than the lock';
  end if;
  perform event_log.lock();
  select coalesce(max(e.position), 0) into last from event_log.events e;
  insert into event_log.fences values (of_subject, to_close, last) on conflict do nothing;
  if found then
    insert into working.departures values (of_subject, last) on conflict do nothing;
  end if;
  delete from event_log.reservations r where r.owner = of_subject;
  return (select f.position from event_log.fences f where f.subject = of_subject);
end $$;

revoke all on function event_log.fence from public;
grant execute on function event_log.fence to lethe_app;
