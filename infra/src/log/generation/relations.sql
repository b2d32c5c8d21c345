-- What is dropped of a version: its view first, which needs a table of the others.
select format('drop %s read_models.%I', case c.relkind when 'v' then 'view' else 'table' end, c.relname)
from pg_class c
where c.relnamespace = 'read_models'::regnamespace and c.relkind in ('r', 'v')
  and (c.relname = $1::text or c.relname ~ ('^' || $2::text || '_v' || $3::smallint || '_g[0-9]+$'))
order by c.relkind desc, c.relname
