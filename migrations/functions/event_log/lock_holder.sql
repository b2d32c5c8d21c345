-- Who holds the lock of the log, and how many wait for it.
create or replace function event_log.lock_holder()
returns table (pid int, since timestamptz, application text, client text, state text, waiting bigint)
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select l.pid, a.xact_start, a.application_name, a.client_addr::text, a.state,
    (select count(*) from pg_locks w where not w.granted and (w.locktype, w.database, w.classid, w.objid, w.objsubid)
      = (l.locktype, l.database, l.classid, l.objid, l.objsubid))
  from pg_locks l join pg_stat_activity a using (pid)
  where l.granted and l.locktype = 'advisory' and l.objsubid = 1 and l.classid = 0
    and l.objid = 'event_log.events'::regclass
    and l.database = (select oid from pg_database where datname = current_database())
$$;

revoke all on function event_log.lock_holder from public;
grant execute on function event_log.lock_holder to lethe_app;
