-- A command that comes again within the day has the same hash: its row counts as written now.
insert into working.credentials (credential_id, account_id, hash, created_at)
select $1, $2, $3, $4
where not exists (select from event_log.fences where subject = $2)
on conflict (credential_id) do update set created_at = excluded.created_at
where not credentials.named
