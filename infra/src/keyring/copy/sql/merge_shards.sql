-- Each is tainted: what it wrapped may be erased or lost elsewhere. Of two wraps of one key, that under the younger root
-- is the later one.
insert into keyring.shards as s (generation, shard, state, wrapped, root_id, created_at)
select generation, shard, 'tainted', wrapped, root_id, created_at
from json_populate_recordset(null::keyring.shards, $1::text::json)
on conflict (generation) do update
set state = excluded.state, wrapped = excluded.wrapped, root_id = excluded.root_id
where excluded.root_id > s.root_id
