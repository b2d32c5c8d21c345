-- The state of the copy, unless the keyring's own is further.
insert into keyring.erasures as e (subject, requested_at, due, claim_code_hash, state, cancelled_at, fenced_at,
  fenced_at_position, destroyed_at, keys, last_root, completed_at, backup_proven_at, kind, append_pending)
select subject, requested_at, due, claim_code_hash, state, cancelled_at, fenced_at, fenced_at_position, destroyed_at, keys,
  last_root, completed_at, backup_proven_at, kind, append_pending
from json_populate_recordset(null::keyring.erasures, $1::text::json)
on conflict (subject, requested_at) do update
set due = excluded.due, state = excluded.state, cancelled_at = excluded.cancelled_at, fenced_at = excluded.fenced_at,
  fenced_at_position = excluded.fenced_at_position, destroyed_at = excluded.destroyed_at, keys = excluded.keys,
  last_root = excluded.last_root, completed_at = excluded.completed_at, backup_proven_at = excluded.backup_proven_at,
  append_pending = excluded.append_pending
where coalesce(array_position('{fenced,destroyed,completed,backup_proven}', excluded.state), 0)
  >= coalesce(array_position('{fenced,destroyed,completed,backup_proven}', e.state), 0)
