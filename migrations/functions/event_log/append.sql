-- What nodes before `append_guarded` call. A later release drops it.
create or replace function event_log.append(news event_log.new_event[], moves event_log.new_reservation[],
  out head bigint, out refused event_log.refusal[], out waited_seconds float8)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  select a.head, a.refused, a.waited_seconds from event_log.append_guarded(news, moves, '{}') a
  into head, refused, waited_seconds;
end $$;

revoke all on function event_log.append from public;
grant execute on function event_log.append to lethe_app;
