select lease_id, expires_at from working.seat_leases where workspace_id = $1
