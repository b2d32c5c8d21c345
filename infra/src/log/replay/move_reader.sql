-- The reader goes on from here, and this generation is what it writes.
with moved as (
  update readers.checkpoints set position = $4, generation = $3
  where name = $1 and version = $2)
update readers.parked set replay = false
where reader = $1 and version = $2 and generation = $3
