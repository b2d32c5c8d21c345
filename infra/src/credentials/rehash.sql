update working.credentials set hash = $3 where credential_id = $1 and hash = $2
