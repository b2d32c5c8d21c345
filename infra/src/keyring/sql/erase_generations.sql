update keyring.keys set wrapped = null, destroyed_at = $3
where kind = 'subject' and subject = $1 and class = any($2::smallint[]) and wrapped is not null
returning class, number
