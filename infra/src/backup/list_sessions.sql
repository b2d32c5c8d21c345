-- Who uses a database, and whether this role may end the session. PostgreSQL ends its own workers, which have no user.
select coalesce(nullif(a.application_name, ''), 'a programme') || ' as ' || a.usename as session,
  own.rolsuper or not other.rolsuper
    and (pg_has_role(other.oid, 'usage') or pg_has_role('pg_signal_backend', 'usage')) as may_end
from pg_stat_activity a
join pg_roles other on other.oid = a.usesysid
join pg_roles own on own.rolname = current_user
where a.datname = $1 and a.pid <> pg_backend_pid()
order by session
