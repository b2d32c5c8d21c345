-- A projection's table is gone: a start makes it again and reads from nothing. What a replay has built is thrown away.
with parked as (
  delete from readers.parked where from_position > $1),
replays as (
  -- One that runs may have read past the end, and not have written it yet: it has lost its lease.
  update readers.replays
  set fence = fence + 1, node = null, lease_until = null, position = case when position > $1 then 0 else position end,
    indexed = indexed and position <= $1)
update readers.checkpoints
set position = case kind when 'worker' then $1 else 0 end, fence = fence + 1, node = null, lease_until = null,
  processed = case kind when 'worker' then processed else 0 end
where position > $1
