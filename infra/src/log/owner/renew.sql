-- Makes the leases of the readers that this node runs longer, and ends those of the others that it holds.
-- A locked row is being renewed by its reader's own transaction.
update readers.checkpoints c
set node = case when mine.runs then c.node end,
  lease_until = clock_timestamp() + make_interval(secs => case when mine.runs then $3::float8 else 0 end)
from (
  select name, version, name || '/' || version = any($2) as runs from readers.checkpoints
  where node = $1
  for update skip locked) mine
where (c.name, c.version) = (mine.name, mine.version)
