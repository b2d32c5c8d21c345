select root_id from keyring.roots where escrow = 'held' and escrow_until <= $1 order by root_id
