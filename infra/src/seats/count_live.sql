select count(*) from working.seat_leases where expires_at > clock_timestamp()
