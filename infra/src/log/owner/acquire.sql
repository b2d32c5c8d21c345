-- Takes one reader that is free, whose lease is over, or that this node had before it was started anew.
-- A node that has fewer goes first; what it leaves for a lease's time, anybody takes.
update readers.checkpoints c
set node = $1, fence = c.fence + 1, lease_until = clock_timestamp() + make_interval(secs => $4)
from (
  select name, version from readers.checkpoints f
  where name || '/' || version = any($2) and name || '/' || version <> all($3)
    and (node is null or node = $1 or lease_until <= clock_timestamp())
    and (node = $1
      or lease_until < clock_timestamp() - make_interval(secs => $4)
      or not exists (
        select from working.live_nodes n
        where n.part = 'readers' and n.node <> $1 and f.name || '/' || f.version = any(n.serves)
          and (select count(*) from readers.checkpoints o where o.node = n.node and o.lease_until > clock_timestamp())
            < (select count(*) from readers.checkpoints o where o.node = $1)))
  order by name, version
  limit 1
  for update skip locked) free
where (c.name, c.version) = (free.name, free.version)
returning c.name, c.version, c.fence, c.position
