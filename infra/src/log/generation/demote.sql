-- Null for $3: it is not kept, and nobody waits for its parked streams.
with former as (
  update readers.generations
  set state = case when $3::float8 is null then 'dropped' else 'kept' end,
    keep_until = clock_timestamp() + make_interval(secs => $3::float8),
    ended_at = case when $3::float8 is null then clock_timestamp() end
  where name = $1 and version = $2 and state = 'live'
  returning generation, state),
parked as (
  delete from readers.parked p using former f
  where p.reader = $1 and p.version = $2 and p.generation = f.generation and f.state = 'dropped')
select generation from former
