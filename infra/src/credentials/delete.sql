delete from working.credentials where credential_id = $1
