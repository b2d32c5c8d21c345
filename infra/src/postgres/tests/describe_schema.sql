with schemas as (
  select oid, nspname
  from pg_namespace
  where nspname in ('event_log', 'readers', 'working', 'read_models', 'keyring')),
relations as (
  select c.*, s.nspname from pg_class c join schemas s on s.oid = c.relnamespace)
select format('relation %s.%s %s %s %s', nspname, relname, relkind, reloptions, relacl) from relations
union all
select format('column %s.%s.%s %s %s %s', r.nspname, r.relname, a.attname,
  format_type(a.atttypid, a.atttypmod), a.attnotnull, pg_get_expr(d.adbin, d.adrelid))
from relations r
join pg_attribute a on a.attrelid = r.oid and a.attnum > 0
left join pg_attrdef d on (d.adrelid, d.adnum) = (a.attrelid, a.attnum)
union all
select format('constraint %s.%s %s %s', r.nspname, r.relname, c.conname, pg_get_constraintdef(c.oid))
from relations r
join pg_constraint c on c.conrelid = r.oid
union all
select format('index %s', pg_get_indexdef(oid)) from relations where relkind = 'i'
union all
select format('trigger %s', pg_get_triggerdef(t.oid))
from pg_trigger t
join relations r on r.oid = t.tgrelid
where not t.tgisinternal  -- those of foreign keys, which are constraints
union all
select format('label %s.%s %s %s', s.nspname, t.typname, e.enumsortorder, e.enumlabel)
from pg_enum e
join pg_type t on t.oid = e.enumtypid
join schemas s on s.oid = t.typnamespace
union all
select format('function %s %s %s', pg_get_functiondef(p.oid), p.proacl, obj_description(p.oid, 'pg_proc'))
from pg_proc p
join schemas s on s.oid = p.pronamespace
order by 1
