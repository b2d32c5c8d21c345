-- A node without readers has no row in the table of the nodes, but a connection that appends. `lethe replay` has neither.
select distinct 'node ' || node from {nodes} where lease_until > clock_timestamp()
union all
select 'the replay of ' || name from {replays} where lease_until > clock_timestamp()
union all
select format('a programme that appends, connected from %s since %s with process %s of PostgreSQL',
  coalesce(host(client_addr), 'this machine'), date_trunc('second', backend_start), pid)
from pg_stat_activity
where datname = current_database() and application_name = 'lethe append'
order by 1
