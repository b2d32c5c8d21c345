-- The key-share lock keeps the shard key from being replaced until the new key is there, and lets it be wrapped again.
with under as materialized (
  select generation, shard from keyring.shards
  where generation = any($6) and state = 'live'
  order by generation
  for key share
)
insert into keyring.keys (kind, subject, class, number, wrapped, generation, created_at)
select w.kind, w.subject, w.class, w.number, w.wrapped, u.generation, $7
from unnest($1::text[], $2::uuid[], $3::smallint[], $4::bigint[], $5::bytea[], $6::uuid[])
  as w(kind, subject, class, number, wrapped, generation)
join under u on u.generation = w.generation and u.shard = keyring.shard_of(w.subject)
order by w.kind, w.subject, w.class, w.number
on conflict do nothing
