-- Also against those who make a key under one that was live when they looked.
select generation, shard, wrapped as shard_key, root_id as shard_root from keyring.shards
where root_id = $1 and state = 'tainted'
order by generation
limit $2
for update
