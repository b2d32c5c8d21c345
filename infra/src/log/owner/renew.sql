-- A locked row is being renewed by its reader's own transaction.
update readers.checkpoints c set lease_until = clock_timestamp() + make_interval(secs => $3)
from (
  select name, version from readers.checkpoints
  where node = $1 and name || '/' || version = any($2)
  for update skip locked) mine
where (c.name, c.version) = (mine.name, mine.version)
