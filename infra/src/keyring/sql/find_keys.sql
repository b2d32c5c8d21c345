-- A row for each wanted key: what there is of it, and the shard key that it is under. Where there is nothing: the live
-- shard key of its shard, if that has one.
select pg_is_in_recovery() as standby, l.sequence as last, k.number, k.wrapped, k.root_id,
  coalesce(s.shard, keyring.shard_of(w.subject)) as shard, s.generation, s.wrapped as shard_key, s.root_id as shard_root
from keyring.last_invalidation l
cross join unnest($1::text[], $2::uuid[], $3::smallint[], $4::bigint[]) with ordinality
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
order by w.n
