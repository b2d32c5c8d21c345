-- Takes one reader that is free, whose owner's lease has ended, or that this node owned before it was started anew.
-- A node that owns fewer goes first; what it leaves for a lease's time, anybody takes.
update readers.checkpoints c
set owner = $1, fence = c.fence + 1, lease_until = clock_timestamp() + make_interval(secs => $4)
from (
  select name, version from readers.checkpoints f
  where name || '/' || version = any($2) and name || '/' || version <> all($3)
    and (owner is null or owner = $1 or lease_until < clock_timestamp())
    and (owner = $1
      or lease_until < clock_timestamp() - make_interval(secs => $4)
      or not exists (
        select from readers.nodes n
        where n.node <> $1 and n.lease_until > clock_timestamp() and f.name || '/' || f.version = any(n.readers)
          and (select count(*) from readers.checkpoints o where o.owner = n.node and o.lease_until > clock_timestamp())
            < (select count(*) from readers.checkpoints o where o.owner = $1)))
  order by name, version
  limit 1
  for update skip locked) free
where (c.name, c.version) = (free.name, free.version)
returning c.name, c.version, c.fence, c.position
