select hash from working.credentials where credential_id = $1 and account_id = $2
