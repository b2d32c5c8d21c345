-- Makes keys under live shard keys, and first the live shard keys that are new. What is there already is left as it is:
-- returns how many keys were made. A shard that has got a live key meanwhile gets none, and the keys that were to come
-- under the new one are not made. A function, so that this is one round trip and one commit, and planned once a session.
-- `lock_wait`: how long each row is waited for that another transaction has locked or is making.
create or replace function keyring.make_keys(kinds text[], subjects uuid[], classes smallint[], numbers bigint[],
  wrapped_keys bytea[], generations uuid[], made_at timestamptz, new_generations uuid[], new_shards int[],
  new_shard_keys bytea[], under_root bigint, lock_wait text)
returns bigint
language plpgsql
set search_path = pg_catalog, pg_temp set plan_cache_mode = force_generic_plan set enable_seqscan = off
set jit = off as $$
#variable_conflict use_column
declare
  made bigint;
begin
  perform set_config('lock_timeout', lock_wait, true);
  if cardinality(new_shards) > 0 then
    -- The share lock meets the switch of the current root: a new shard key is never left on the old one.
    perform from keyring.roots where root_id = under_root and state = 'current' for share;
    if found then
      insert into keyring.shards (generation, shard, state, wrapped, root_id, created_at)
      select w.generation, w.shard, 'live', w.wrapped, under_root, made_at
      from unnest(new_generations, new_shards, new_shard_keys) as w(generation, shard, wrapped)
      order by w.shard
      on conflict do nothing;
    end if;
  end if;
  -- The key-share lock keeps the shard key from being replaced until the new key is there, and lets it be wrapped again.
  with under as materialized (
    select generation, shard from keyring.shards
    where generation = any(generations) and state = 'live'
    order by generation
    for key share
  )
  insert into keyring.keys (kind, subject, class, number, wrapped, generation, created_at)
  select w.kind, w.subject, w.class, w.number, w.wrapped, u.generation, made_at
  from unnest(kinds, subjects, classes, numbers, wrapped_keys, generations)
    as w(kind, subject, class, number, wrapped, generation)
  join under u on u.generation = w.generation and u.shard = keyring.shard_of(w.subject)
  order by w.kind, w.subject, w.class, w.number
  on conflict do nothing;
  get diagnostics made = row_count;
  return made;
end $$;

revoke all on function keyring.make_keys from public;
grant execute on function keyring.make_keys to lethe_app;
