-- The live one never. Whoever builds it has lost its lease; its table goes with the next sweep.
with failed as (
  update readers.generations
  set state = 'failed', error = $4, ended_at = clock_timestamp(), node = null, lease_until = null, keep_until = null,
    fence = nextval('readers.generation_fences')
  where name = $1 and version = $2 and generation = $3 and state in ('requested', 'building', 'joined', 'kept')
  returning name, version, generation)
delete from readers.parked p using failed f
where (p.reader, p.version, p.generation) = (f.name, f.version, f.generation)
