select pg_is_in_recovery() as standby, sequence as last, array(
  select generation from keyring.email_generations where state in ('writing', 'live') order by generation desc
) as generations
from keyring.last_invalidation
