-- A crash that loses this commit loses the rows with it, so nobody waits for the disk.
update readers.replays set position = $5, ceiling = greatest(ceiling, $5)
where name = $1 and version = $2 and fence = $3 and position = $4
  and set_config('synchronous_commit', 'off', true) = 'off'
