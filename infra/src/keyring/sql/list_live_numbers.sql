select number from keyring.keys
where kind = $1 and subject = $2 and class = $3 and wrapped is not null and number < $4
order by number
