-- Beside it stays the one before it, which may work still.
with named as (
  update working.api_token_secrets set version = $2
  where secret_id = $1 and version is null
  returning token_id
)
delete from working.api_token_secrets s
using named
where s.token_id = named.token_id and s.version < (
  select max(o.version) from working.api_token_secrets o
  where o.token_id = named.token_id and o.version < $2)
