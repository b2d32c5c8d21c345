select invitation_id, workspace_id from working.invitations where until <= $1 order by until limit $2
