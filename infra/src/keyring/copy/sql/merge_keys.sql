-- An erased key stays erased, whoever knows of it. Of two wraps the one under the younger root is the later one.
insert into keyring.keys as k (kind, subject, class, number, wrapped, root_id, created_at, destroyed_at)
select kind, subject, class, number, wrapped, root_id, created_at, destroyed_at
from json_populate_recordset(null::keyring.keys, $1::text::json)
on conflict (kind, subject, class, number) do update
set wrapped = excluded.wrapped, root_id = greatest(k.root_id, excluded.root_id), destroyed_at = excluded.destroyed_at
where k.wrapped is not null and (excluded.wrapped is null or excluded.root_id > k.root_id)
