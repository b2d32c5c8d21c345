update readers.generations
set state = $5, error = $6, ended_at = clock_timestamp(), node = null, lease_until = null
where name = $1 and version = $2 and generation = $3 and fence = $4 and state = 'building'
