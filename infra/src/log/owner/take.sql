-- Takes those that are free, or that this node had before it was started anew.
update readers.checkpoints c
set node = $1, fence = c.fence + 1, lease_until = clock_timestamp() + make_interval(secs => $3)
from (
  select name, version from readers.checkpoints
  where name || '/' || version = any($2)
    and (node is null or node = $1 or lease_until is null or lease_until <= clock_timestamp())
  order by name, version
  for update skip locked) free
where (c.name, c.version) = (free.name, free.version)
returning c.name || '/' || c.version as label, c.fence, c.position
