select generation, shard, wrapped as shard_key, root_id as shard_root from keyring.shards
where shard = any($1) and state = 'live' and root_id >= $2
order by generation
for key share
