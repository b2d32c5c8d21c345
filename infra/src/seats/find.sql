select expires_at, ttl_seconds from working.seat_leases where lease_id = $1
