-- The readers: how far each has read, who owns it, and which streams it has parked.
-- Working rows: they cannot be rebuilt. What is in `read_models` can, from the log.
create schema readers;
grant usage on schema readers to lethe_app;

create table readers.checkpoints (
  name          text        not null,
  version       smallint    not null,
  kind          text        not null check (kind in ('projection', 'duty')),
  position      bigint      not null default 0,
  owner         uuid,
  fence         bigint      not null default 0,   -- grows with each change of owner, and with each swap of the table
  lease_until   timestamptz,                      -- by the database's clock
  processed     bigint      not null default 0,   -- events of the reader's types
  updated_at    timestamptz not null default clock_timestamp(),
  last_event_at timestamptz,
  last_error    text,
  primary key (name, version)
) with (fillfactor = 50);

-- The nodes that live, and which readers (as name/version) each of them has.
create table readers.nodes (
  node        uuid primary key,
  readers     text[]      not null,
  lease_until timestamptz not null
);

-- A stream stands here from its poisonous event on. `replay`: parked by a replay that has not been swapped in.
create table readers.parked (
  reader        text        not null,
  version       smallint    not null,
  replay        bool        not null default false,
  stream_id     uuid        not null,
  from_position bigint      not null,
  error         text        not null,
  parked_at     timestamptz not null default clock_timestamp(),
  released_at   timestamptz,                      -- asked for; the row goes once the stream has been read
  primary key (reader, version, replay, stream_id)
);

create table readers.replays (
  name        text        not null,
  version     smallint    not null,
  owner       uuid        not null,
  fence       bigint      not null default 1,
  lease_until timestamptz not null,
  position    bigint      not null default 0,
  ceiling     bigint      not null,
  indexed     bool        not null default false,
  started_at  timestamptz not null default clock_timestamp(),
  primary key (name, version)
);

grant select, insert, update, delete on all tables in schema readers to lethe_app;

-- The projections make, rename and drop their own tables here.
create schema read_models authorization lethe_app;
