-- Appends one event without reservations, in one statement: the fast path. `at` is null when the event is refused;
-- the caller then asks `append_guarded`, which says why.
create or replace function event_log.append_one_guarded(e event_log.new_event, guards event_log.new_guard[],
  out at bigint, out waited_seconds float8)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  locked text;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    raise exception 'append needs read committed: a snapshot younger than the lock';
  end if;
  locked := event_log.lock();
  waited_seconds := extract(epoch from clock_timestamp() - statement_timestamp());
  insert into event_log.events
  select coalesce((select max(position) from event_log.events where position >= event_log.recent_from()), 0) + 1,
         e.tenant_id, e.stream_type, e.stream_id, e.version, e.event_id, e.event_type, e.schema_version,
         e.data, e.sealed, e.subjects, e.actor, e.session, e.request, e.correlation, e.causation,
         e.command_id, e.request_mac, e.events, clock_timestamp()
  where not exists (
      select from event_log.events c
      where (c.tenant_id, c.command_id) = (e.tenant_id, e.command_id) and c.position >= event_log.recent_from())
    and not exists (select from event_log.fences f where f.subject = any (e.subjects) and e.event_type <> all (f.closing))
    and coalesce((
      select case when (x.tenant_id, x.stream_type) = (e.tenant_id, e.stream_type) then x.version else -1 end
      from event_log.events x where x.stream_id = e.stream_id and x.position >= event_log.recent_from()
      order by x.version desc limit 1), event_log.older_version(e.stream_id, e.tenant_id, e.stream_type)) = e.expected
    and cardinality(event_log.moved(guards)) = 0
  returning position into at;
end $$;

revoke all on function event_log.append_one_guarded from public;
grant execute on function event_log.append_one_guarded to lethe_app;
