select kind, subject, class, number, wrapped, generation, keyring.shard_of(subject) as shard from keyring.keys
where root_id = $1 and wrapped is not null
order by kind, subject, class, number
limit $2
for update
