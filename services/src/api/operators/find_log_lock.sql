select l.pid, a.application_name, l.granted, a.xact_start, l.waitstart
from pg_locks l
left join pg_stat_activity a on a.pid = l.pid
where l.locktype = 'advisory' and l.objsubid = 1 and l.classid = 0
  and l.objid = 'event_log.events'::regclass
  and l.database = (select oid from pg_database where datname = current_database())
order by l.granted desc, l.waitstart
