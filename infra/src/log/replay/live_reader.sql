-- How far the reader has come, and whether a node has it.
select position, coalesce(node is not null and lease_until > clock_timestamp(), false)
from readers.checkpoints
where name = $1 and version = $2
