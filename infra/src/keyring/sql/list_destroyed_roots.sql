select root_id, escrow from keyring.roots where state = 'destroyed' and root_id = any($1)
