select pg_get_functiondef(p.oid), coalesce(p.proacl::text, '{=X}')
from pg_proc p
where p.oid = $1::text::regproc
