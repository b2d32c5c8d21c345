select root_id, state, fingerprint, current_at, escrow, wraps, copied,
  -- A keyring that was moved to another server, or went back, has to note it again: its WAL counts otherwise.
  coalesce(rewrapped_lsn <= case when not pg_is_in_recovery() then pg_current_wal_insert_lsn() end, false) as is_rewrapped
from keyring.roots r, lateral (
  select exists (select from keyring.shards s where s.root_id = r.root_id and s.state in ('live', 'tainted'))
    or exists (select from keyring.keys k where k.root_id = r.root_id and k.wrapped is not null) as wraps
) w
where state <> 'destroyed' or wraps
order by root_id
