-- The time is looked at once the row is locked: whoever waited for the reaper in vain has lost it.
update working.seat_leases
set renewed_at = clock_timestamp(), expires_at = clock_timestamp() + make_interval(secs => ttl_seconds)
where lease_id = $1 and fence = $2
  and expires_at > (
    select clock_timestamp() from (
      select from working.seat_leases where lease_id = $1 for update) locked)
returning expires_at, ttl_seconds
