select private_key, public_line from working.server_credentials
where credential_id = $1 and workspace_id = $2
