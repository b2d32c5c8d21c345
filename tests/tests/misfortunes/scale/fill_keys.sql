-- Four keys a person, under the shard key of the person; those of the first $2 people are erased, and their shard keys
-- are gone. The copy of the keyring does not know of them. Nobody can open them: shard 0, whose keys are wrapped again
-- later, has none.
insert into keyring.keys (kind, subject, class, number, wrapped, root_id, generation, created_at, destroyed_at, changed_by)
select 'subject', p.subject, class, 1,
  case when p.n > $2 then decode(repeat('5a', 60), 'hex') end, case when p.n <= $2 then r.root_id end,
  case when p.n > $2 then s.generation else '00000000-0000-0000-0000-000000000000' end,
  now(), case when p.n <= $2 then now() end, '0'
from (
  select n, lpad(to_hex(n), 32, '0')::uuid as subject from generate_series(1, ($1::bigint + 3) / 4) n) p
join keyring.shards s on s.shard = keyring.shard_of(p.subject) and s.state = 'live' and s.shard > 0
cross join generate_series(1, 4) class
cross join keyring.roots r
where r.state = 'current'
