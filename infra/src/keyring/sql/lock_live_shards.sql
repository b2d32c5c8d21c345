select generation, shard, wrapped as shard_key, root_id as shard_root from keyring.shards
where root_id = $1 and state = 'live'
order by generation
limit $2
for no key update
