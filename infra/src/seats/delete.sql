delete from working.seat_leases where lease_id = $1
