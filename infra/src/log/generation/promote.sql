-- `replay` says of a parked stream that it is not of the live generation.
with shown as (
  update readers.generations set state = 'live', live_at = clock_timestamp(), keep_until = null
  where name = $1 and version = $2 and generation = $3),
checkpoint as (
  update readers.checkpoints set generation = $3
  where name = $1 and version = $2)
update readers.parked set replay = generation <> $3
where reader = $1 and version = $2 and replay <> (generation <> $3)
