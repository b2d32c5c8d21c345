delete from working.server_monitors where server_id = $1
