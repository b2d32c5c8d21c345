select root_id from keyring.roots where state = 'current'
