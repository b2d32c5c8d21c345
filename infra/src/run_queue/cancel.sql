update working.run_tasks set cancel = true, next_at = null where run_id = $1 and state <> 'lost'
