-- The view and the tables of a projection are gone: a start makes them again and reads from nothing. What a replay has built
-- past the end is thrown away.
with parked as (
  delete from readers.parked where from_position > $1),
past as (
  select g.name, g.version, g.generation
  from readers.generations g
  where g.state in ('building', 'joined', 'live', 'kept') and (
    g.state = 'building' and g.position > $1
    or exists (
      select from readers.checkpoints c
      where (c.name, c.version) = (g.name, g.version) and c.position > $1))),
ended as (
  update readers.generations g
  set state = case g.state when 'building' then 'failed' else 'dropped' end,
    error = case g.state when 'building' then 'the log went back' else g.error end,
    ended_at = clock_timestamp(), node = null, lease_until = null, keep_until = null,
    fence = nextval('readers.generation_fences')
  from past p
  where (g.name, g.version, g.generation) = (p.name, p.version, p.generation)),
freed as (
  -- One that runs may have read past the end, and not have written it yet: it has lost its lease.
  update readers.generations g
  set node = null, lease_until = clock_timestamp(), fence = nextval('readers.generation_fences')
  where g.state = 'building' and not exists (
    select from past p where (p.name, p.version, p.generation) = (g.name, g.version, g.generation)))
update readers.checkpoints
set position = case kind when 'worker' then $1 else 0 end, fence = fence + 1, node = null, lease_until = null,
  processed = case kind when 'worker' then processed else 0 end, generation = 0
where position > $1
