-- Every append meets another version of its stream, and is counted.
create sequence public.attempts;

create or replace function event_log.append_one_guarded(e event_log.new_event, guards event_log.new_guard[],
  out at bigint, out waited_seconds float8)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  waited_seconds := 0;
end $$;

create or replace function event_log.append_guarded(news event_log.new_event[], moves event_log.new_reservation[],
  guards event_log.new_guard[], out head bigint, out refused event_log.refusal[], out waited_seconds float8)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform nextval('public.attempts');
  head := 1;
  refused := array[(0, 'conflict', null, null, '{}')::event_log.refusal];
  waited_seconds := 0;
end $$;
