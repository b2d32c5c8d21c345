select workspace_id, restricted_since, members
from read_models.workspaces_v3
where restricted_since is not null and deletion_due is null
  and ($1::timestamptz is null or (restricted_since, workspace_id) > ($1, $2::uuid))
order by restricted_since, workspace_id
limit $3
