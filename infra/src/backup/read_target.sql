-- What an extension has made belongs to nobody's data.
select exists (
    select from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
      and not exists (select from pg_depend d
        where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')
  ) as has_tables,
  to_regclass('refinery_schema_history') is not null as has_history,
  to_regclass('event_log.events') is not null as has_log
