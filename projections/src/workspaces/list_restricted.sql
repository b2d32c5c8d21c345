select workspace_id, restricted_since, members, version
from read_models.workspaces_v3
where restricted_since is not null and deletion_due is null
  and (restricted_since, workspace_id) > (coalesce($1::timestamptz, '-infinity'), coalesce($2::uuid, '00000000-0000-0000-0000-000000000000'))
order by restricted_since, workspace_id
limit $3
