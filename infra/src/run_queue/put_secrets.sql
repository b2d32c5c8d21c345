insert into working.run_secrets (secrets_id, run_id, workspace_id, sealed) values ($1, $2, $3, $4)
on conflict do nothing
