-- A hash that no event is known to name may belong to a change that is still on its way.
with named as (
  update working.credentials set named = true
  where account_id = $1 and credential_id = $2
  returning account_id, credential_id)
delete from working.credentials other
using named
where other.account_id = named.account_id
  and other.credential_id <> named.credential_id
  and other.named
