update keyring.roots set fingerprint = $2 where root_id = $1 and state = 'new'
