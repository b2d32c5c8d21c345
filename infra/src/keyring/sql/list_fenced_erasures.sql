select * from keyring.erasures
where state in ('fenced', 'destroyed', 'completed', 'backup_proven') and ($1::uuid is null or subject > $1)
order by subject
limit $2
