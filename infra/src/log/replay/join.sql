update readers.generations
set state = $6::text, position = $5, ceiling = greatest(ceiling, $5), built_at = clock_timestamp(),
  live_at = case when $6::text = 'live' then clock_timestamp() end, node = null, lease_until = null, error = null
where name = $1 and version = $2 and generation = $3 and fence = $4 and state = 'building'
