select format('%s.%s', n.nspname, p.proname), obj_description(p.oid, 'pg_proc')
from pg_proc p
join pg_namespace n on n.oid = p.pronamespace
where format('%s.%s', n.nspname, p.proname) = any($1)
