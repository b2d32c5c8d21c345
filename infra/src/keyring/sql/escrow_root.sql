update keyring.roots set escrow = 'held', escrow_until = $2 where root_id = $1
