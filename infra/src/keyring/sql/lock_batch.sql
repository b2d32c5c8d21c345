select kind, subject, class, number, wrapped from keyring.keys
where root_id = $1 and wrapped is not null
order by kind, subject, class, number
limit $2
for update
