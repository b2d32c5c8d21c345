-- They are written no more, and their parked streams wait for nothing.
with dropped as (
  update readers.generations set state = 'dropped', ended_at = clock_timestamp(), keep_until = null
  where name = $1 and version = $2 and state = any($3)
  returning name, version, generation),
parked as (
  delete from readers.parked p using dropped d
  where (p.reader, p.version, p.generation) = (d.name, d.version, d.generation))
select generation from dropped
