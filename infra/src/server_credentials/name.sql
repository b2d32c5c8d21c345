-- A key that no event is known to name may belong to a change that is still on its way.
with named as (
  update working.server_credentials set named = true
  where server_id = $1 and credential_id = $2
  returning server_id, credential_id)
delete from working.server_credentials other
using named
where other.server_id = named.server_id
  and other.credential_id <> named.credential_id
  and other.named
