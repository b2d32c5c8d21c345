-- A replay that runs goes on, and passes over what it has parked: its generation is live with these.
delete from readers.parked p
where p.reader = $1 and p.version = $2 and not exists (
  select from readers.generations g
  where (g.name, g.version, g.generation) = (p.reader, p.version, p.generation) and g.state = 'building')
