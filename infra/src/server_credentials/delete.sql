delete from working.server_credentials where credential_id = $1
