-- A younger key than the named one belongs to a change that is still on its way.
with named as (
  update working.server_credentials set named = true
  where server_id = $1 and credential_id = $2
  returning server_id, credential_id, created_at)
delete from working.server_credentials older
using named
where older.server_id = named.server_id
  and older.credential_id <> named.credential_id
  and older.created_at <= named.created_at
