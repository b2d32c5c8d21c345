-- The roots of the live keys and shard keys are each found from the one before: neither every key is read nor every root
-- of the past.
with recursive of_keys (root_id) as (
  (select root_id from keyring.keys where wrapped is not null and root_id is not null order by root_id limit 1)
  union all
  select (
    select k.root_id from keyring.keys k
    where k.wrapped is not null and k.root_id > o.root_id order by k.root_id limit 1)
  from of_keys o where o.root_id is not null),
of_shards (root_id) as (
  (select root_id from keyring.shards where state in ('live', 'tainted') order by root_id limit 1)
  union all
  select (
    select s.root_id from keyring.shards s
    where s.state in ('live', 'tainted') and s.root_id > o.root_id order by s.root_id limit 1)
  from of_shards o where o.root_id is not null),
used as (select root_id from of_keys union select root_id from of_shards)
