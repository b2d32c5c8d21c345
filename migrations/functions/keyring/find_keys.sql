-- A row for each wanted key, in their order: what there is of it, and the shard key that it is under. Where there is
-- nothing: the live shard key of its shard, if that has one. Where no number is wanted: the newest generation.
-- A function, so that it is planned once a session, for full tables although they may be empty then: a plan takes longer
-- than the search.
create or replace function keyring.find_keys(kinds text[], subjects uuid[], classes smallint[], numbers bigint[])
returns table (standby boolean, last bigint, current_root bigint, number bigint, wrapped bytea, root_id bigint,
  shard int, generation uuid, shard_key bytea, shard_root bigint)
language plpgsql stable rows 2
set search_path = pg_catalog, pg_temp set plan_cache_mode = force_generic_plan set enable_seqscan = off
set enable_hashjoin = off set enable_mergejoin = off set enable_memoize = off set jit = off as $$
#variable_conflict use_column
begin
  return query
  select pg_is_in_recovery() as standby, l.sequence as last,
    (select root_id from keyring.roots where state = 'current') as current_root, k.number, k.wrapped, k.root_id,
    coalesce(s.shard, keyring.shard_of(w.subject)) as shard, s.generation, s.wrapped as shard_key, s.root_id as shard_root
  from keyring.last_invalidation l
  cross join unnest(kinds, subjects, classes, numbers) with ordinality
    as w(kind, subject, class, number, n)
  left join lateral (
    select k.number, k.wrapped, k.root_id, k.generation from keyring.keys k
    where k.kind = w.kind and k.subject = w.subject and k.class = w.class
      -- A range of the index, also where the number is given.
      and k.number between coalesce(w.number, -9223372036854775808) and coalesce(w.number, 9223372036854775807)
    order by k.number desc limit 1
  ) k on true
  left join lateral (
    select s.* from keyring.shards s where s.generation = k.generation
    union all
    select s.* from keyring.shards s
    where s.shard = keyring.shard_of(w.subject) and s.state = 'live' and k.number is null
  ) s on true
  order by w.n;
end $$;

revoke all on function keyring.find_keys from public;
grant execute on function keyring.find_keys to lethe_app;
