-- A function that a restore or somebody has dropped is not there, whatever its row says.
select r.name, r.revision, r.sha256
from {table} r
where exists (
  select from pg_proc p
  join pg_namespace n on n.oid = p.pronamespace
  where format('%s.%s', n.nspname, p.proname) = r.name)
