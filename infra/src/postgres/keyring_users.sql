-- Each connection of a pool of Lethe.
select format('a programme that uses the keyring, connected from %s since %s with process %s of PostgreSQL',
  coalesce(host(client_addr), 'this machine'), date_trunc('second', backend_start), pid)
from pg_stat_activity
where datname = current_database() and application_name = 'lethe'
order by 1
