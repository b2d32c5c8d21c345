-- The roots of the keys, each found from the one before, without reading every key.
with recursive used (root_id) as (
  (select root_id from keyring.keys where wrapped is not null order by root_id limit 1)
  union all
  select (
    select k.root_id from keyring.keys k
    where k.wrapped is not null and k.root_id > u.root_id order by k.root_id limit 1)
  from used u where u.root_id is not null)
select u.root_id from used u
where u.root_id is not null and not exists (select from keyring.roots r where r.root_id = u.root_id)
limit 1
