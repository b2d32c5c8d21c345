-- The first $2 are in their days of grace; of the others, every other one waits for its proof.
insert into keyring.erasures (subject, requested_at, due, claim_code_hash, state, fenced_at, fenced_at_position, destroyed_at,
  keys, last_root, completed_at, backup_proven_at, changed_by)
select lpad(to_hex(n), 32, '0')::uuid, now() - interval '3 days',
  now() + case when n <= $2 then interval '3 days' else '-3 days' end - make_interval(secs => n / 10.0), sha256(int8send(n)),
  case when n <= $2 then 'requested' when n % 2 = 0 then 'completed' else 'backup_proven' end,
  now(), 0, now(), 4, r.root_id, now(), now(), '0'
from generate_series(1, $1::bigint) n, keyring.roots r
where r.state = 'current'
