-- Shard keys stand between the root keys and the keys of people, so that a new root key does not wrap every key again:
-- infra/README.md, "Shard keys". Keys from before this migration are under a root key (generation is null), and come
-- under shard keys as that root is replaced.
-- A programme older than this migration can read no key under a shard key, and erases keys under one as if it were
-- under a root: stop its nodes first.
create table keyring.shards (
  generation uuid        primary key,
  shard      int         not null check (shard between 0 and 16383),  -- keyring.shard_of
  -- live: new keys of the shard come under it. tainted: it wrapped a key that is erased, or may be lost, so it is never
  -- wrapped under another root. replaced: it wraps no live key any more, and goes with its root.
  state      text        not null check (state in ('live', 'tainted', 'replaced')),
  wrapped    bytea       not null,
  root_id    bigint      not null,
  created_at timestamptz not null,
  changed_by xid8        not null default pg_current_xact_id()
);
create unique index shards_one_live on keyring.shards (shard) where state = 'live';
create index shards_by_root on keyring.shards (root_id, state, generation) where state <> 'replaced';
create index shards_changed on keyring.shards (changed_by) where changed_by > '0';

alter table keyring.keys add column generation uuid;
create index keys_by_shard on keyring.keys (generation, kind, subject, class, number)
  where wrapped is not null and generation is not null;
-- A live key is under a root or under a shard key. Of an erased one, root_id is the youngest root that ever wrapped it or
-- a shard key of its.
alter table keyring.keys drop constraint keys_check1;
alter table keyring.keys add constraint keys_live_under_one
  check (wrapped is null or num_nonnulls(root_id, generation) = 1);
alter table keyring.keys add constraint keys_erased_have_root
  check (generation is null or num_nonnulls(wrapped, root_id) > 0);

-- One row: whether keys may be lost that shard keys of this database wrapped. They show nowhere as erased.
create table keyring.shard_history (
  only_row    boolean primary key default true check (only_row),
  history     text,                        -- as keyring.history answered; null until the first start
  lsn         pg_lsn,                      -- a place of the WAL that was written since
  newest_root bigint  not null default 0   -- when keys may have been lost last: a chain of wraps that this database
                                           -- does not show ends at this root or at an older one
);
insert into keyring.shard_history default values;

grant select, insert, update, delete on keyring.shards to lethe_app;
grant select, update on keyring.shard_history to lethe_app;
