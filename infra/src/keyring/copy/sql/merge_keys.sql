-- An erased key stays erased, whoever knows of it. Of two wraps the one whose root is younger is the later one. Shard keys
-- are merged before.
insert into keyring.keys as k (kind, subject, class, number, wrapped, root_id, generation, created_at, destroyed_at)
select kind, subject, class, number, wrapped, root_id, generation, created_at, destroyed_at
from json_populate_recordset(null::keyring.keys, $1::text::json)
on conflict (kind, subject, class, number) do update
set wrapped = excluded.wrapped, destroyed_at = excluded.destroyed_at,
  generation = case when excluded.wrapped is null then k.generation else excluded.generation end,
  root_id = case when excluded.wrapped is null then greatest(k.root_id, excluded.root_id) else excluded.root_id end
where k.wrapped is not null and (excluded.wrapped is null
  or coalesce(excluded.root_id, (select root_id from keyring.shards s where s.generation = excluded.generation), 0)
    > coalesce(k.root_id, (select root_id from keyring.shards s where s.generation = k.generation), 0))
