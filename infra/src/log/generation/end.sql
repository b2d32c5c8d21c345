-- What the reader writes is dropped; what is not whole yet becomes $4, because of $5.
with ended as (
  update readers.generations
  set state = case when state in ('joined', 'kept') then 'dropped' else $4::text end,
    error = case when state in ('joined', 'kept') then error else coalesce(error, $5::text) end,
    ended_at = clock_timestamp(), node = null, lease_until = null, keep_until = null,
    fence = nextval('readers.generation_fences')
  where name = $1 and version = $2 and generation = $3 and ({condition})
  returning generation),
parked as (
  delete from readers.parked p using ended e
  where p.reader = $1 and p.version = $2 and p.generation = e.generation)
select generation from ended
