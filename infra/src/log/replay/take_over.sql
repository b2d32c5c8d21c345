-- Whoever has built it so far writes nothing more.
update readers.generations
set node = $4, fence = nextval('readers.generation_fences'), lease_until = clock_timestamp() + make_interval(secs => $5),
  ceiling = greatest(ceiling, $6), error = null
where name = $1 and version = $2 and generation = $3
returning fence
