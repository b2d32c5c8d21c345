-- The roots of the shard keys, and of the keys that are under none. Those of the keys are each found from the one before,
-- without reading every key.
with recursive used (root_id) as (
  (select root_id from keyring.keys where wrapped is not null order by root_id limit 1)
  union all
  select (
    select k.root_id from keyring.keys k
    where k.wrapped is not null and k.root_id > u.root_id order by k.root_id limit 1)
  from used u where u.root_id is not null)
select u.root_id
from (select root_id from used union all select root_id from keyring.shards where state in ('live', 'tainted')) u
where u.root_id is not null and not exists (select from keyring.roots r where r.root_id = u.root_id)
limit 1
