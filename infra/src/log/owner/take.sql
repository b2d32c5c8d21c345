-- Takes those that are free, or that this node had before it was started anew. One whose lease ends later than twice
-- its length from now is free: the clock ran ahead.
update readers.checkpoints c
set node = $1, fence = c.fence + 1, lease_until = clock_timestamp() + make_interval(secs => $3)
from (
  select name, version from readers.checkpoints
  where name || '/' || version = any($2)
    and (node is null or node = $1 or lease_until is null or lease_until <= clock_timestamp()
      or lease_until > clock_timestamp() + 2 * make_interval(secs => $3))
  order by name, version
  for update skip locked) free
where (c.name, c.version) = (free.name, free.version)
returning c.name || '/' || c.version as label, c.fence, c.position
