delete from working.invitations where workspace_id = $1
