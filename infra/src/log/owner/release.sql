update readers.checkpoints set owner = null, lease_until = clock_timestamp()
where owner = $1 and name || '/' || version = any($2)
