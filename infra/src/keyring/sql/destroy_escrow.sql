update keyring.roots set escrow = 'destroyed', escrow_destroyed_at = $2 where root_id = $1
