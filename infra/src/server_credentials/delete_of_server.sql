delete from working.server_credentials where server_id = $1
