-- The same body on another order: transaction id, then a sequence, and no lock of the whole log.
-- Locks of each stream, command, claim and subject stand in its place, taken before the transaction
-- has an id. A reader would read what is below pg_snapshot_xmin.
create sequence event_log.drawn as bigint;
create table event_log.horizon (like event_log.events, tx bigint not null, primary key (tx, position));
create unique index on event_log.horizon (stream_id, version);
create unique index on event_log.horizon (tenant_id, command_id) where command_id is not null;

create function event_log.lock_all(news event_log.new_event[], moves event_log.new_reservation[]) returns void
language plpgsql as $$
begin
  if pg_current_xact_id_if_assigned() is not null then
    raise exception 'append must be the first write of its transaction';
  end if;
  perform pg_advisory_xact_lock_shared(k) from (
    select distinct hashtextextended(s::text, 1) as k from unnest(news) e, unnest(e.subjects) s order by 1) subjects;
  perform pg_advisory_xact_lock(k) from (
    select hashtextextended(e.stream_id::text, 2) as k from unnest(news) e where e.expected is not null
    union select hashtextextended(e.tenant_id::text || e.command_id, 3) from unnest(news) e where e.command_id is not null
    union select hashtextextended(m.kind || m.blind_index::text, 4) from unnest(moves) m
    order by 1) keys;
end $$;

create or replace function event_log.append_guarded(news event_log.new_event[], moves event_log.new_reservation[],
  guards event_log.new_guard[], out head bigint, out refused event_log.refusal[], out waited_seconds float8)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  no int[];
  id bigint;
begin
  perform event_log.lock_all(news, moves);
  waited_seconds := extract(epoch from clock_timestamp() - statement_timestamp());
  select array(
    select (append, min(outcome), min(first), min(last), array(
        select (x.stream_id, max(x.version))::event_log.reached from event_log.horizon x
        where x.position between min(first) and min(last)
        group by x.stream_id order by min(x.position)))::event_log.refusal
    from (
      select e.append, c.position as first, c.position + c.events - 1 as last,
        case
          when c.position is null then case
            when exists (select from event_log.fences f
                         where f.subject = any (e.subjects) and e.event_type <> all (f.closing)) then 'fenced'
            when coalesce(s.version, 0) <> e.expected
              or (s.tenant_id, s.stream_type) <> (e.tenant_id, e.stream_type) then 'conflict' end
          when c.request_mac in (e.request_mac, e.request_mac_before)
            or coalesce(c.request_mac, e.request_mac) is null then 'replayed'
          else 'reused'
        end::event_log.outcome as outcome
      from unnest(news) e
      left join lateral (
        select x.position, x.events, x.request_mac from event_log.horizon x
        where (x.tenant_id, x.command_id) = (e.tenant_id, e.command_id) limit 1) c on true
      left join lateral (
        select x.version, x.tenant_id, x.stream_type from event_log.horizon x
        where x.stream_id = e.stream_id and e.expected is not null
        order by x.version desc limit 1) s on true
      union all
      select m.append, null, null, 'reserved'
      from unnest(moves) m join event_log.reservations c using (kind, blind_index)
      where m.taken and c.owner <> m.owner) judged
    where outcome is not null
    group by append)
  into refused;
  no := array(select append from unnest(refused));

  id := pg_current_xact_id()::text::bigint;
  insert into event_log.horizon
  select nextval('event_log.drawn'), tenant_id, stream_type, stream_id, version, event_id, event_type, schema_version,
         data, sealed, subjects, actor, session, request, correlation, causation, command_id, request_mac, events,
         clock_timestamp(), id
  from unnest(news) where append <> all (no);
  head := currval('event_log.drawn') - cardinality(news);

  if cardinality(moves) > 0 then
    delete from event_log.reservations c using unnest(moves) m
    where not m.taken and m.append <> all (no)
      and (c.kind, c.blind_index, c.owner) = (m.kind, m.blind_index, m.owner);
    insert into event_log.reservations
    select kind, blind_index, owner from unnest(moves) where taken and append <> all (no)
    on conflict do nothing;
  end if;
end $$;

create or replace function event_log.append_one_guarded(e event_log.new_event, guards event_log.new_guard[],
  out at bigint, out waited_seconds float8)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if pg_current_xact_id_if_assigned() is not null then
    raise exception 'append must be the first write of its transaction';
  end if;
  perform pg_advisory_xact_lock_shared(hashtextextended(s::text, 1)) from unnest(e.subjects) s;
  perform pg_advisory_xact_lock(least(a, b)), pg_advisory_xact_lock(greatest(a, b)) from (
    select hashtextextended(e.stream_id::text, 2) as a, hashtextextended(e.tenant_id::text || e.command_id, 3) as b) k;
  waited_seconds := extract(epoch from clock_timestamp() - statement_timestamp());
  insert into event_log.horizon
  select nextval('event_log.drawn'),
         e.tenant_id, e.stream_type, e.stream_id, e.version, e.event_id, e.event_type, e.schema_version,
         e.data, e.sealed, e.subjects, e.actor, e.session, e.request, e.correlation, e.causation,
         e.command_id, e.request_mac, e.events, clock_timestamp(), pg_current_xact_id()::text::bigint
  where not exists (select from event_log.horizon c where (c.tenant_id, c.command_id) = (e.tenant_id, e.command_id))
    and not exists (select from event_log.fences f where f.subject = any (e.subjects) and e.event_type <> all (f.closing))
    and coalesce((select case when (x.tenant_id, x.stream_type) = (e.tenant_id, e.stream_type) then x.version else -1 end
                  from event_log.horizon x where x.stream_id = e.stream_id order by x.version desc limit 1), 0) = e.expected
  returning position into at;
end $$;
