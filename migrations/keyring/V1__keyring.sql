-- Keys, each wrapped under a root key that is in no database; what was destroyed; who was erased.
-- A destroyed key is a row without bytes, for good: nothing makes a key again where one was destroyed.

do $$ begin
  create role lethe_app nologin;
exception when duplicate_object or unique_violation then null;  -- another database of the cluster made it
end $$;
do $$ begin
  set local role lethe_app;
  reset role;
exception when insufficient_privilege then
  execute format('grant lethe_app to %I', current_user);
end $$;

create schema keyring;
grant usage on schema keyring to lethe_app;

create table keyring.roots (
  root_id             bigint      primary key generated always as identity,
  state               text        not null check (state in ('new', 'current', 'retiring', 'destroyed')),
  fingerprint         bytea,                       -- null until the key is durable
  created_at          timestamptz not null,
  current_at          timestamptz,
  retired_at          timestamptz,
  destroyed_at        timestamptz,
  escrow              text        not null default 'none' check (escrow in ('none', 'held', 'destroyed')),
  escrow_until        timestamptz,
  escrow_destroyed_at timestamptz,
  check (state in ('new', 'destroyed') or fingerprint is not null)
);
create unique index roots_one_in_each_state on keyring.roots (state) where state <> 'destroyed';

create table keyring.keys (
  kind         text        not null check (kind in ('subject', 'bucket', 'email_index', 'request_mac', 'link')),
  subject      uuid        not null,               -- nil where the key is nobody's
  class        smallint    not null,               -- 0 where there is none
  number       bigint      not null,               -- a generation, or days since 1970-01-01 to a period's first
  wrapped      bytea,
  root_id      bigint,                             -- of a destroyed key: the youngest that ever wrapped it
  created_at   timestamptz not null,
  destroyed_at timestamptz,
  primary key (kind, subject, class, number),
  check ((wrapped is null) = (destroyed_at is not null)),
  check (wrapped is null or root_id is not null)
);
create index keys_by_root on keyring.keys (root_id, kind, subject, class, number) where wrapped is not null;

create function keyring.refuse_return() returns trigger language plpgsql as $$
begin
  if tg_op = 'DELETE' or (old.wrapped is null and (new.wrapped is not null or new.root_id is distinct from old.root_id)) then
    raise exception 'a destroyed key stays destroyed' using errcode = 'restrict_violation';
  end if;
  return new;
end $$;
create trigger destroyed_for_good before update or delete on keyring.keys
  for each row execute function keyring.refuse_return();

-- What nodes must drop from their memory, in the order of commits: the row of last_dropped is locked from
-- the drawing of a number to its commit.
create table keyring.last_dropped (
  sequence bigint not null
);
insert into keyring.last_dropped values (0);

create table keyring.dropped (
  sequence   bigint      primary key,
  kind       text        not null,
  subject    uuid        not null,
  class      smallint    not null,
  number     bigint      not null,
  dropped_at timestamptz not null
);

create table keyring.email_generations (
  generation bigint      primary key,
  state      text        not null check (state in ('writing', 'live', 'retiring', 'destroyed')),
  created_at timestamptz not null,
  changed_at timestamptz not null
);
create unique index email_generations_one_in_each_state on keyring.email_generations (state)
  where state <> 'destroyed';

create table keyring.erasures (
  subject            uuid        not null,
  requested_at       timestamptz not null,
  due                timestamptz not null,
  claim_code_hash    bytea       not null unique,
  state              text        not null
    check (state in ('requested', 'cancelled', 'fenced', 'destroyed', 'completed', 'backup_proven')),
  cancelled_at       timestamptz,
  fenced_at          timestamptz,
  fenced_at_position bigint,
  destroyed_at       timestamptz,
  keys               bigint,
  last_root          bigint,
  completed_at       timestamptz,
  backup_proven_at   timestamptz,
  primary key (subject, requested_at)
);
create unique index erasures_one_open on keyring.erasures (subject) where state <> 'cancelled';
create index erasures_under_way on keyring.erasures (due)
  where state in ('requested', 'fenced', 'destroyed', 'completed');

grant select, insert, update on keyring.roots, keyring.keys, keyring.email_generations, keyring.erasures to lethe_app;
grant select, update on keyring.last_dropped to lethe_app;
grant select, insert, delete on keyring.dropped to lethe_app;
