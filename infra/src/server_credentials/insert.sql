-- A command that comes again within the day gets the key of the first time, which counts as written now.
insert into working.server_credentials
  (credential_id, workspace_id, server_id, private_key, public_line, created_at)
select $1, $2, $3, $4, $5, $6
where not exists (select from event_log.fences where subject = $2)
on conflict (credential_id) do update set created_at = excluded.created_at
where not server_credentials.named
