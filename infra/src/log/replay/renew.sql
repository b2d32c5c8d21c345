update readers.replays set lease_until = clock_timestamp() + make_interval(secs => $4)
where name = $1 and version = $2 and fence = $3
