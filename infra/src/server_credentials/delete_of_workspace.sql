delete from working.server_credentials where workspace_id = $1
