-- Tables of generations that nobody writes or builds: of one name, or all.
select c.relname::text
from pg_class c
where c.relnamespace = 'read_models'::regnamespace and c.relkind = 'r' and c.relname ~ '^.+_v[0-9]+_g[0-9]+$'
  and pg_has_role(c.relowner, 'usage') and ($1::text is null or c.relname = $1::text)
  and not exists (
    select from readers.generations g
    where format('%s_v%s_g%s', g.name, g.version, g.generation) = c.relname
      and g.state in ('requested', 'building', 'joined', 'live', 'kept'))
order by c.relname
