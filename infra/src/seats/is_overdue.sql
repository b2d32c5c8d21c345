select exists (
  select from working.seat_leases
  where workspace_id = $1 and expires_at <= clock_timestamp())
