-- A projection's table is gone: a start makes it again and reads from nothing. What a replay has built is thrown away.
with parked as (
  delete from readers.parked where from_position > $1),
replays as (
  update readers.replays set position = 0, indexed = false where position > $1)
update readers.checkpoints
set position = case kind when 'worker' then $1 else 0 end, fence = fence + 1, node = null, lease_until = null,
  processed = case kind when 'worker' then processed else 0 end
where position > $1
