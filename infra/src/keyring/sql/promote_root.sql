update keyring.roots set state = 'current', current_at = $2 where root_id = $1 and state = 'new'
