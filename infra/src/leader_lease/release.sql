delete from working.leader_leases where node = $1
