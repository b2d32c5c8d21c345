-- The log: one dense position, written by two functions under one lock.
-- They run as their owner, so that the role of the programme may call them and read, and no more; each
-- sets its own search_path, so that no caller's can put another thing in a name's place (0.3 us a call).
-- The batcher sets on its connection:
--   jit = off: it compiled for 50 to 600 ms a batch once the plan looked dear (many partitions, a scan switched off)
--   plan_cache_mode = force_generic_plan: arrays of any length, one plan
--   enable_seqscan, enable_hashjoin, enable_mergejoin = off: a plan made on empty tables must serve full ones

do $$ begin
  create role lethe_app nologin;
exception when duplicate_object or unique_violation then null;  -- another database of the cluster made it
end $$;
do $$ begin
  create role lethe_retention nologin;
exception when duplicate_object or unique_violation then null;
end $$;
do $$ declare role text; begin
  foreach role in array array['lethe_app', 'lethe_retention'] loop
    begin
      execute format('set local role %I', role);
      reset role;
    exception when insufficient_privilege then
      execute format('grant %I to %I', role, current_user);
    end;
  end loop;
end $$;

create schema event_log;
grant usage on schema event_log to lethe_app, lethe_retention;

create table event_log.events (
  position       bigint      not null primary key,
  tenant_id      uuid        not null,
  stream_type    text        not null,
  stream_id      uuid        not null,
  version        bigint      not null,
  event_id       uuid        not null,
  event_type     text        not null,
  schema_version smallint    not null,
  data           json        not null,
  sealed         bytea,
  subjects       uuid[]      not null,
  actor          uuid,
  session        uuid,
  request        uuid,
  correlation    uuid,
  causation      uuid,
  command_id     uuid,                        -- these three on the first event of an append only:
  request_mac    bytea,                       -- it is the record of what the command was answered
  events         smallint,
  recorded_at    timestamptz not null
) partition by range (position);

create table event_log.claims (
  kind        text  not null,
  blind_index bytea not null,
  owner       uuid  not null,
  primary key (kind, blind_index)
);
create index on event_log.claims (owner);

create table event_log.fences (
  subject  uuid   primary key,
  closing  text[] not null,                   -- the event types that may still come
  position bigint not null                    -- the last one before the fence
);

create table event_log.snapshots (
  stream_id        uuid        primary key,
  version          bigint      not null,
  snapshot_version smallint    not null,      -- of the state's meaning: another one is dropped
  state            json        not null,
  taken_at         timestamptz not null default now()
);

grant select on event_log.events, event_log.claims, event_log.fences to lethe_app, lethe_retention;
grant delete on event_log.events to lethe_retention;
grant select, insert, update, delete on event_log.snapshots to lethe_app;

-- `append` numbers the appends of a batch, `expected` stands on the first event of each stream in its append.
-- The request's MAC is under today's key and, where there is one still, under the key of the day before.
create type event_log.new_event as (
  append int, expected bigint, tenant_id uuid, stream_type text, stream_id uuid, version bigint, event_id uuid,
  event_type text, schema_version smallint, data json, sealed bytea, subjects uuid[],
  actor uuid, session uuid, request uuid, correlation uuid, causation uuid,
  command_id uuid, request_mac bytea, request_mac_before bytea, events smallint);
create type event_log.new_claim as (append int, kind text, blind_index bytea, owner uuid, taken bool);
create type event_log.outcome as enum ('replayed', 'reused', 'fenced', 'conflict', 'claimed');  -- the least one is told
create type event_log.reached as (stream_id uuid, version bigint);
create type event_log.refusal as (
  append int, outcome event_log.outcome, first_position bigint, last_position bigint, streams event_log.reached[]);

-- Whoever writes holds this lock until its commit is visible, so readers always see a prefix.
create function event_log.lock() returns void language sql as $$
  select pg_advisory_xact_lock('event_log.events'::regclass::bigint)
$$;

-- Appends a batch. What is not in `refused` stands from head + 1 on, in the order given.
-- The batcher puts no stream, claim or command id into a batch twice; if it did, a unique index stops the batch.
create function event_log.append(news event_log.new_event[], moves event_log.new_claim[],
  out head bigint, out refused event_log.refusal[], out waited_seconds float8)
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
  select coalesce((select max(position) from event_log.events), 0), array(
    select (append, min(outcome), min(first), min(last), array(
        select (x.stream_id, max(x.version))::event_log.reached from event_log.events x
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
      left join lateral (                     -- `limit`, so that no plan can join by scanning the log
        select x.position, x.events, x.request_mac from event_log.events x
        where (x.tenant_id, x.command_id) = (e.tenant_id, e.command_id) limit 1) c on true
      left join lateral (
        select x.version, x.tenant_id, x.stream_type from event_log.events x
        where x.stream_id = e.stream_id and e.expected is not null
        order by x.version desc limit 1) s on true
      union all
      select m.append, null, null, 'claimed'
      from unnest(moves) m join event_log.claims c using (kind, blind_index)
      where m.taken and c.owner <> m.owner) judged
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
    delete from event_log.claims c using unnest(moves) m
    where not m.taken and m.append <> all (no)
      and (c.kind, c.blind_index, c.owner) = (m.kind, m.blind_index, m.owner);
    insert into event_log.claims
    select kind, blind_index, owner from unnest(moves) where taken and append <> all (no)
    on conflict do nothing;                   -- its own already
  end if;
end $$;

-- The fast path: one event, no claims, one statement. Null when anything stands against it: `append` says what.
create function event_log.append_one(e event_log.new_event, out at bigint, out waited_seconds float8)
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
  select coalesce((select max(position) from event_log.events), 0) + 1,
         e.tenant_id, e.stream_type, e.stream_id, e.version, e.event_id, e.event_type, e.schema_version,
         e.data, e.sealed, e.subjects, e.actor, e.session, e.request, e.correlation, e.causation,
         e.command_id, e.request_mac, e.events, clock_timestamp()
  where not exists (select from event_log.events c where (c.tenant_id, c.command_id) = (e.tenant_id, e.command_id))
    and not exists (select from event_log.fences f where f.subject = any (e.subjects) and e.event_type <> all (f.closing))
    and coalesce((select case when (x.tenant_id, x.stream_type) = (e.tenant_id, e.stream_type) then x.version else -1 end
                  from event_log.events x where x.stream_id = e.stream_id order by x.version desc limit 1), 0) = e.expected
  returning position into at;
end $$;

-- After its commit no event of the subject follows but the closing ones: an append holds the lock from before it
-- reads the fences until its own commit is visible, so it stands wholly before the fence or wholly after.
-- Its claims go in the same commit: the address is free again. Told again, it answers the same position.
create function event_log.fence(of_subject uuid, to_close text[]) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare last bigint;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    raise exception 'a fence needs read committed: a snapshot younger than the lock';
  end if;
  perform event_log.lock();
  select coalesce(max(e.position), 0) into last from event_log.events e;
  insert into event_log.fences values (of_subject, to_close, last) on conflict do nothing;
  delete from event_log.claims c where c.owner = of_subject;
  return (select f.position from event_log.fences f where f.subject = of_subject);
end $$;

-- An event stays as it was written. The retention role may delete rows, but never the newest: positions
-- are counted from it.
create function event_log.keep() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if tg_op <> 'DELETE' or current_user <> 'lethe_retention' then
    raise exception 'the log is not rewritten: % on % is refused', lower(tg_op), tg_table_name
      using errcode = 'insufficient_privilege';
  end if;
  if old.position >= (select max(e.position) from event_log.events e) then
    raise exception 'the newest event is never deleted' using errcode = 'insufficient_privilege';
  end if;
  return old;
end $$;
create trigger keep_rows before update or delete on event_log.events for each row execute function event_log.keep();
create trigger keep_table before truncate on event_log.events for each statement execute function event_log.keep();

-- The partition that ends with `last`. Attached, not created in place: that would stop readers and writers.
-- The unique indexes are each partition's own (they lack the partition key); across partitions the lock is the guard.
create function event_log.extend(first bigint, last bigint) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare name text := format('events_%s', first);
begin
  execute format('create table event_log.%I (like event_log.events including all,
    constraint range check (position >= %s and position <= %s))', name, first, last);
  execute format('create unique index on event_log.%I (stream_id, version)', name);
  execute format('create unique index on event_log.%I (tenant_id, command_id) where command_id is not null', name);
  execute format('create trigger keep_table before truncate on event_log.%I
    for each statement execute function event_log.keep()', name);
  execute format('alter table event_log.events attach partition event_log.%I for values from (%s) to (%s)',
    name, first, last + 1);
  -- it spared the scan of the attach; kept, it would be parsed anew by every append
  execute format('alter table event_log.%I drop constraint range', name);
end $$;

-- The last position there is room for.
create function event_log.room() returns bigint
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select max(substring(pg_get_expr(c.relpartbound, c.oid) from $re$TO \('?(\d+)'?\)$re$)::bigint) - 1
  from pg_inherits i join pg_class c on c.oid = i.inhrelid
  where i.inhparent = 'event_log.events'::regclass
$$;

-- Makes room for `size` more once the head is past the middle of the last partition. One node at a time.
create function event_log.extend_ahead(size bigint) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  last bigint;
  head bigint;
begin
  perform pg_advisory_xact_lock('event_log.claims'::regclass::bigint);
  last := event_log.room();
  select coalesce(max(position), 0) into head from event_log.events;
  if head > last - size / 2 then
    perform event_log.extend(last + 1, last + size);
    last := last + size;
  end if;
  return last;
end $$;

-- Who holds the log's lock, and how many wait for it.
create function event_log.lock_holder()
returns table (pid int, since timestamptz, application text, client text, state text, waiting bigint)
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select l.pid, a.xact_start, a.application_name, a.client_addr::text, a.state,
    (select count(*) from pg_locks w where not w.granted and (w.locktype, w.database, w.classid, w.objid, w.objsubid)
      = (l.locktype, l.database, l.classid, l.objid, l.objsubid))
  from pg_locks l join pg_stat_activity a using (pid)
  where l.granted and l.locktype = 'advisory' and l.objsubid = 1 and l.classid = 0
    and l.objid = 'event_log.events'::regclass
    and l.database = (select oid from pg_database where datname = current_database())
$$;

revoke all on all functions in schema event_log from public;
grant execute on function event_log.append, event_log.append_one, event_log.fence, event_log.extend_ahead,
  event_log.room, event_log.lock_holder to lethe_app;

select event_log.extend(1, 100000000);
