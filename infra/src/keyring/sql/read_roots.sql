, known as (
  select root_id from used
  union
  select root_id from keyring.roots where state <> 'destroyed' or escrow = 'held')
select r.root_id, state, fingerprint, current_at, escrow, wraps, copied,
  -- A keyring that was moved to another server, or went back, has to note it again: its WAL counts otherwise.
  coalesce(rewrapped_lsn <= case when not pg_is_in_recovery() then pg_current_wal_insert_lsn() end, false) as is_rewrapped
from known join keyring.roots r using (root_id)
cross join lateral (select exists (select from used u where u.root_id = r.root_id) as wraps) w
where state <> 'destroyed' or wraps
order by r.root_id
