select pg_get_functiondef(p.oid), coalesce(p.proacl::text, '{=X}'), obj_description(p.oid, 'pg_proc')
from pg_proc p
where p.oid = $1::text::regproc
