delete from keyring.shards
where state = 'replaced' and root_id in (select root_id from keyring.roots where state = 'destroyed')
