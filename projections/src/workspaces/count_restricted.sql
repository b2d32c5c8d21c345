select count(*) from (
  select from read_models.workspaces_v3
  where restricted_since is not null and deletion_due is null
  order by restricted_since, workspace_id
  limit 10000) restricted
