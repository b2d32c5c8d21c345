delete from working.seat_leases where workspace_id = $1
