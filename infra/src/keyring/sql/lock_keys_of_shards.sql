select kind, subject, class, number, wrapped, generation, keyring.shard_of(subject) as shard from keyring.keys
where generation = any($1) and wrapped is not null
limit $2
for update
