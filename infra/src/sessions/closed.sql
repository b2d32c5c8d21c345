with gone as (delete from working.sessions where session_id = any ($1))
delete from working.closings where session_id = any ($1)
