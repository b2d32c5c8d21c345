-- A command that comes again within the day has the same secrets: they count as written now.
insert into working.run_secrets (secrets_id, run_id, workspace_id, sealed)
values ($1, $2, $3, $4)
on conflict (secrets_id) do update set created_at = clock_timestamp()
returning created_at
