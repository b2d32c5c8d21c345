-- Appends a batch. What is not in `refused` gets the positions from head + 1 on, in the order given.
-- The batcher puts no stream, reservation or command id into a batch twice; if it did, a unique index would stop
-- the batch. Nor has a batch a stream that one append writes to and another guards: both would see the state before.
-- The batcher's connection sets jit = off, plan_cache_mode = force_generic_plan and switches off sequential scans, hash
-- joins and merge joins: a plan that was made on empty tables must serve full ones.
-- Only the recent part of the log is looked at, however many partitions there are: a command id counts for 30 days, and
-- of a stream without a recent event `older_version` knows.
create or replace function event_log.append_guarded(news event_log.new_event[], moves event_log.new_reservation[],
  guards event_log.new_guard[], out head bigint, out refused event_log.refusal[], out waited_seconds float8)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  locked text;
  no     int[];                               -- the refused appends
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    raise exception 'append needs read committed: a snapshot younger than the lock';
  end if;
  locked := event_log.lock();                 -- an assignment, since `perform` would start the executor
  waited_seconds := extract(epoch from clock_timestamp() - statement_timestamp());
  select coalesce((select max(position) from event_log.events where position >= event_log.recent_from()), 0), array(
    select (append, min(outcome), min(first), min(last), array(
        select (x.stream_id, max(x.version))::event_log.reached from event_log.events x
        where x.position between min(first) and min(last) and x.position >= event_log.recent_from()
        group by x.stream_id order by min(x.position)))::event_log.refusal
    from (
      select e.append, c.position as first, c.position + c.events - 1 as last,
        case
          when c.position is null then case
            when exists (select from event_log.fences f
                         where f.subject = any (e.subjects) and e.event_type <> all (f.closing)) then 'fenced'
            when e.expected is null then null
            when (s.tenant_id, s.stream_type) <> (e.tenant_id, e.stream_type)
              or coalesce(s.version, event_log.older_version(e.stream_id, e.tenant_id, e.stream_type)) <> e.expected
              then 'conflict' end
          when c.request_mac in (e.request_mac, e.request_mac_before)
            or coalesce(c.request_mac, e.request_mac) is null then 'replayed'
          else 'reused'
        end::event_log.outcome as outcome
      from unnest(news) e
      left join lateral (                     -- `limit`, so that no plan can join by scanning the log
        select x.position, x.events, x.request_mac from event_log.events x
        where (x.tenant_id, x.command_id) = (e.tenant_id, e.command_id) and x.position >= event_log.recent_from()
        limit 1) c on true
      left join lateral (
        select x.version, x.tenant_id, x.stream_type from event_log.events x
        where x.stream_id = e.stream_id and e.expected is not null and x.position >= event_log.recent_from()
        order by x.version desc limit 1) s on true
      union all
      select m.append, null, null, 'reserved'
      from unnest(moves) m join event_log.reservations r using (kind, blind_index)
      where m.taken and r.owner <> m.owner
      union all
      select g.append, null, null, 'conflict' from unnest(event_log.moved(guards)) g (append)) judged
    where outcome is not null
    group by append)
  into head, refused;
  no := array(select append from unnest(refused));

  insert into event_log.events
  select head + row_number() over (), tenant_id, stream_type, stream_id, version, event_id, event_type, schema_version,
         data, sealed, subjects, actor, session, request, correlation, causation, command_id, request_mac, events,
         clock_timestamp()
  from unnest(news) where append <> all (no);

  if cardinality(moves) > 0 then
    delete from event_log.reservations r using unnest(moves) m
    where not m.taken and m.append <> all (no)
      and (r.kind, r.blind_index, r.owner) = (m.kind, m.blind_index, m.owner);
    insert into event_log.reservations
    select kind, blind_index, owner from unnest(moves) where taken and append <> all (no)
    on conflict do nothing;                   -- its own already
  end if;
end $$;

revoke all on function event_log.append_guarded from public;
grant execute on function event_log.append_guarded to lethe_app;
