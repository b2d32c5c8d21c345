-- A younger hash than the named one belongs to a change that is still on its way.
with named as (
  update working.credentials set named = true
  where account_id = $1 and credential_id = $2
  returning account_id, credential_id, created_at)
delete from working.credentials older
using named
where older.account_id = named.account_id
  and older.credential_id <> named.credential_id
  and older.created_at <= named.created_at
