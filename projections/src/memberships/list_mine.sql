-- A membership is shown also where the reader of the workspaces has not come to its workspace, or has parked it.
select m.workspace_id, m.role, m.joined_at, w.name, w.members, w.deletion_due, w.workspace_id is null,
  w.restricted_since is not null and w.deletion_due is null
from read_models.memberships m left join read_models.workspaces_v3 w using (workspace_id)
where m.account_id = $1 and w.deleted_at is null and ($2::uuid is null or m.workspace_id > $2)
order by m.workspace_id
limit $3
