-- Another replay may go on with what is built.
update readers.generations set node = null, lease_until = clock_timestamp(), error = $5
where name = $1 and version = $2 and generation = $3 and fence = $4 and state = 'building'
