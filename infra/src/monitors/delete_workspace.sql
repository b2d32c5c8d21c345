delete from working.server_monitors where workspace_id = $1
