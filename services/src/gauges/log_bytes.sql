select c.relname::text, coalesce(pg_total_relation_size(c.oid), 0)
from pg_inherits i
join pg_class c on c.oid = i.inhrelid
where i.inhparent = to_regclass('event_log.events')
