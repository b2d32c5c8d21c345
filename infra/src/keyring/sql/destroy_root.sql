update keyring.roots set state = 'destroyed', destroyed_at = $2 where root_id = $1
