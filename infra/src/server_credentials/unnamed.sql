select workspace_id, server_id, credential_id, created_at from working.server_credentials
where not named and created_at < $1
order by created_at, credential_id
limit $2 offset $3
