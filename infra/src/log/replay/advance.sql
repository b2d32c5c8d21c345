-- A crash that loses this commit loses the rows with it, so nobody waits for the disk.
update readers.generations set position = $6, ceiling = greatest(ceiling, $6)
where name = $1 and version = $2 and generation = $3 and fence = $4 and position = $5
  and set_config('synchronous_commit', 'off', true) = 'off'
