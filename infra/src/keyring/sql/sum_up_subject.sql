select count(root_id) as keys, max(root_id) as root from keyring.keys
where kind = 'subject' and subject = $1 and class = any($2::smallint[])
