-- What nodes before `append_one_guarded` call. A later release drops it.
create or replace function event_log.append_one(e event_log.new_event, out at bigint, out waited_seconds float8)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  select a.at, a.waited_seconds from event_log.append_one_guarded(e, '{}') a into at, waited_seconds;
end $$;

revoke all on function event_log.append_one from public;
grant execute on function event_log.append_one to lethe_app;
