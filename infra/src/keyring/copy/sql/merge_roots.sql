-- The state of the copy, unless the keyring's own is a later one. A root that is not durable wraps nothing. One that
-- was to become current never does after a younger one: nothing goes back under an older root.
insert into keyring.roots as r (root_id, state, fingerprint, created_at, current_at, retired_at, destroyed_at, escrow,
  escrow_until, escrow_destroyed_at, rewrapped_at, rewrapped_lsn, copied)
overriding system value
select root_id,
  case when state in ('new', 'current') and exists (
    select from keyring.roots later where later.state in (c.state, 'current') and later.root_id > c.root_id)
  then 'retiring' else state end,
  fingerprint, created_at, current_at, retired_at, destroyed_at, escrow, escrow_until, escrow_destroyed_at, rewrapped_at,
  rewrapped_lsn, copied
from json_populate_recordset(null::keyring.roots, $1::text::json) c
where state = 'destroyed' or fingerprint is not null
order by root_id
on conflict (root_id) do update
set state = excluded.state, fingerprint = excluded.fingerprint, current_at = excluded.current_at,
  retired_at = excluded.retired_at, destroyed_at = excluded.destroyed_at, escrow = excluded.escrow,
  escrow_until = excluded.escrow_until, escrow_destroyed_at = excluded.escrow_destroyed_at,
  rewrapped_at = excluded.rewrapped_at, rewrapped_lsn = excluded.rewrapped_lsn, copied = excluded.copied
where array_position('{new,current,retiring,destroyed}', excluded.state)
  >= array_position('{new,current,retiring,destroyed}', r.state)
