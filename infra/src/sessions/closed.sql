delete from working.closings where session_id = any ($1)
