-- Servers: the keys that are offered to them, who watches them, and what was measured.

-- Private keys, sealed. An event names its row by id; a row that no event names is swept.
create table working.server_credentials (
  credential_id uuid        primary key,
  workspace_id  uuid        not null,
  server_id     uuid        not null,
  private_key   bytea       not null,                -- sealed
  public_line   text        not null,                -- for authorized_keys, without a comment
  created_at    timestamptz not null,
  named         boolean     not null default false   -- an event that names it has been seen
);
create index server_credentials_of_server on working.server_credentials (server_id);
create index server_credentials_of_workspace on working.server_credentials (workspace_id);
create index server_credentials_unnamed on working.server_credentials (created_at) where not named;

-- Servers that are watched, each by one node at a time. Whoever takes one raises its fence.
create table working.server_monitors (
  server_id     uuid        primary key,
  workspace_id  uuid        not null,
  fence         bigint      not null default 1,
  node          uuid,
  failures      integer     not null default 0,      -- in a row, each of a fresh connection
  failing_since timestamptz,
  check ((failures = 0) = (failing_since is null))
);
create index server_monitors_of_node on working.server_monitors (node);
create index server_monitors_of_workspace on working.server_monitors (workspace_id);

-- Nodes that watch servers. What a node had is free once its time is over.
create table working.monitor_nodes (
  node  uuid        primary key,
  until timestamptz not null
);

grant select, insert, update, delete
  on working.server_credentials, working.server_monitors, working.monitor_nodes to lethe_app;

-- What was measured: ids and numbers only. A table a day, so that a day goes as one.
create table working.server_samples (
  server_id      uuid        not null,
  taken_at       timestamptz not null,
  cpu_share      float8,                             -- 0 to 1; none of the first of a connection
  memory_used    bigint      not null,               -- bytes, here and below
  memory_total   bigint      not null,
  disk_used      bigint      not null,
  disk_total     bigint      not null,
  load           float8      not null,               -- of the last minute
  uptime_seconds bigint      not null,
  primary key (server_id, taken_at)
) partition by range (taken_at);
grant select, insert on working.server_samples to lethe_app;

-- Tables for `days` days from `first` on. Answers how many were missing.
create function working.extend_samples(first date, days integer) returns integer
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  day  date;
  name text;
  made integer := 0;
begin
  perform pg_advisory_xact_lock(hashtextextended('working.server_samples', 0));
  for day in select first + n from generate_series(0, least(days, 31) - 1) as n loop
    name := 'server_samples_' || to_char(day, 'YYYYMMDD');
    if to_regclass('working.' || name) is null then
      execute format('create table working.%I (like working.server_samples including all)', name);
      execute format(
        'alter table working.server_samples attach partition working.%I for values from (%L) to (%L)',
        name, day::timestamp at time zone 'utc', (day + 1)::timestamp at time zone 'utc');
      made := made + 1;
    end if;
  end loop;
  return made;
end $$;

-- Drops the days before `first`. Answers how many there were.
create function working.drop_samples(first date) returns integer
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  name    text;
  dropped integer := 0;
begin
  perform pg_advisory_xact_lock(hashtextextended('working.server_samples', 0));
  for name in
    select c.relname
    from pg_inherits i
    join pg_class c on c.oid = i.inhrelid
    where i.inhparent = 'working.server_samples'::regclass
      and to_date(right(c.relname, 8), 'YYYYMMDD') < first
  loop
    execute format('drop table working.%I', name);
    dropped := dropped + 1;
  end loop;
  return dropped;
end $$;

revoke all on function working.extend_samples(date, integer) from public;
revoke all on function working.drop_samples(date) from public;
grant execute on function working.extend_samples(date, integer) to lethe_app;
grant execute on function working.drop_samples(date) to lethe_app;

-- A host key that changed is told to several people.
alter table working.outbox drop constraint outbox_cause_kind_key;
alter table working.outbox add unique (cause, kind, subject_id);
