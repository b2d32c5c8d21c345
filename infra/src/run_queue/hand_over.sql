update working.run_tasks set node = null, lease_until = null where node = $1
