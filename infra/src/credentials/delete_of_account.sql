delete from working.credentials where account_id = $1
