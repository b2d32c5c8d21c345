-- A programme older than this migration does not work after it: stop its nodes first. It copies rows into a table that is a
-- view now, and keeps its replays in a table that is gone. A dump holds the tables while it runs: better this fails, and is
-- started again after it.
set local lock_timeout = '10s';

-- A number that was deleted and is given again is never written under an old fence.
create sequence readers.generation_fences;

-- A projection's rows are in the table of a generation, `read_models.<name>_v<version>_g<generation>`; the view
-- `read_models.<name>` (from the second version on: `<name>_v<version>`) shows one of them. The row of a generation that
-- ended stays for a while: it says why.
create table readers.generations (
  name        text        not null,
  version     smallint    not null,
  generation  int         not null check (generation > 0),
  state       text        not null check (state in
    ('requested', 'building', 'joined', 'live', 'kept', 'dropped', 'cancelled', 'failed')),
  build       text        not null default '',       -- SHA-256 of the programme that builds it
  position    bigint      not null default 0,        -- while it is built: its rows are committed up to here
  ceiling     bigint      not null default 0,
  indexed     boolean     not null default false,
  node        uuid,                                  -- who builds it
  fence       bigint      not null default nextval('readers.generation_fences'),
  lease_until timestamptz,
  paused_at   timestamptz,
  requested_at timestamptz not null default clock_timestamp(),
  built_at    timestamptz,
  live_at     timestamptz,
  ended_at    timestamptz,                           -- dropped, cancelled or failed
  keep_until  timestamptz,                           -- of a kept one
  error       text,
  primary key (name, version, generation)
);
create unique index generations_live on readers.generations (name, version) where state = 'live';
create unique index generations_building on readers.generations (name, version) where state in ('requested', 'building');
grant select, insert, update, delete on readers.generations to lethe_app;
grant usage on sequence readers.generation_fences to lethe_app;

-- The one that the view shows. 0: a worker, or a projection without a table.
alter table readers.checkpoints add column generation int not null default 0;

-- `replay` says of a parked stream that it is not of the live generation: what asks for `not replay` finds what it found.
alter table readers.parked add column generation int not null default 0;
delete from readers.parked where replay;
update readers.parked p set generation = 1
from readers.checkpoints c
where (c.name, c.version) = (p.reader, p.version) and c.kind = 'projection';
alter table readers.parked drop constraint parked_pkey, add primary key (reader, version, generation, stream_id);

-- What there is becomes the first generation. Indexes and constraints keep their names. Whoever was allowed to read the
-- table may read the view: it reads with the rights of its owner.
do $$ declare c record; shown text; built text; reads text; begin
  set local role lethe_app;                          -- it owns the tables of the projections
  for c in select name, version from readers.checkpoints where kind = 'projection' order by name, version loop
    shown := c.name || case c.version when 1 then '' else '_v' || c.version end;
    built := format('%s_v%s_g1', c.name, c.version);
    execute format('drop table if exists read_models.%I', shown || '_shadow');
    continue when to_regclass(format('read_models.%I', shown)) is null;
    execute format('alter table read_models.%I rename to %I', shown, built);
    execute format('create view read_models.%I as select * from read_models.%I', shown, built);
    for reads in
      select distinct case grantee when 0 then 'public' else quote_ident(pg_get_userbyid(grantee)) end
      from pg_class, aclexplode(relacl)
      where oid = format('read_models.%I', built)::regclass and privilege_type = 'SELECT' and grantee <> relowner
    loop
      execute format('grant select on read_models.%I to %s', shown, reads);
    end loop;
    insert into readers.generations (name, version, generation, state, indexed, built_at, live_at)
    values (c.name, c.version, 1, 'live', true, clock_timestamp(), clock_timestamp());
  end loop;
  reset role;
end $$;
update readers.checkpoints c set generation = 1
from readers.generations g
where (g.name, g.version) = (c.name, c.version);

drop table readers.replays;
