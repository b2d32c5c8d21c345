insert into working.invitations (invitation_id, workspace_id, until) values ($1, $2, $3)
on conflict do nothing
