select exists (
  select from working.seat_leases
  where lease_id = $1 and fence = $2 and expires_at > clock_timestamp())
