insert into working.credentials (credential_id, account_id, hash, created_at)
select $1, $2, $3, $4
where not exists (select from event_log.fences where subject = $2)
on conflict do nothing
