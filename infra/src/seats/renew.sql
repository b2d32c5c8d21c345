-- The time is looked at once the row is locked: whoever waited for the reaper, even in vain, is too late.
with locked as materialized (
  select lease_id, expires_at from working.seat_leases where lease_id = $1 and fence = $2 for update)
update working.seat_leases held
set renewed_at = clock_timestamp(), expires_at = clock_timestamp() + make_interval(secs => ttl_seconds)
from locked
where held.lease_id = locked.lease_id and locked.expires_at > clock_timestamp()
returning held.expires_at, ttl_seconds
