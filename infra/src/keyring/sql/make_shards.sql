-- The share lock meets the switch of the current root: a new shard key is never left on the old one.
with under as materialized (
  select root_id from keyring.roots where root_id = $4 and state = 'current' for share
)
insert into keyring.shards (generation, shard, state, wrapped, root_id, created_at)
select w.generation, w.shard, 'live', w.wrapped, under.root_id, $5
from unnest($1::uuid[], $2::int[], $3::bytea[]) as w(generation, shard, wrapped) cross join under
order by w.shard
on conflict do nothing
