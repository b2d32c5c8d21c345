-- Four keys a person; those of the first $2 people are erased. The copy of the keyring does not know of them.
insert into keyring.keys (kind, subject, class, number, wrapped, root_id, created_at, destroyed_at, changed_by)
select 'subject', lpad(to_hex((n - 1) / 4 + 1), 32, '0')::uuid, (n - 1) % 4 + 1, 1,
  case when (n - 1) / 4 >= $2 then decode(repeat('5a', 60), 'hex') end, r.root_id, now(),
  case when (n - 1) / 4 < $2 then now() end, '0'
from generate_series(1, $1::bigint) n, keyring.roots r
where r.state = 'current'
