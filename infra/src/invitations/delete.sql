delete from working.invitations where invitation_id = $1
