select workspace_id from read_models.workspaces_v3
where deletion_due <= $1 and deleted_at is null
order by deletion_due, workspace_id
limit $2 offset $3
