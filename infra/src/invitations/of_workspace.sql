select invitation_id from working.invitations where workspace_id = $1
