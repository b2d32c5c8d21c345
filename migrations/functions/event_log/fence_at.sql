-- As `fence`, for a subject whose own stream is at the version `expected`: null, and no fence, when it has moved. The
-- caller has decided on that version: an event of another one, such as a cancellation, must be read first.
create or replace function event_log.fence_at(of_subject uuid, to_close text[], expected bigint) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform event_log.lock();
  if not exists (select from event_log.fences f where f.subject = of_subject)
    and coalesce((select max(e.version) from event_log.events e where e.stream_id = of_subject), 0) <> expected
  then
    return null;
  end if;
  return event_log.fence(of_subject, to_close);
end $$;

revoke all on function event_log.fence_at from public;
grant execute on function event_log.fence_at to lethe_app;
