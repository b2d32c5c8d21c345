select w.workspace_id, m.role, m.joined_at, w.name, w.members, w.deletion_due
from read_models.memberships m join read_models.workspaces_v2 w using (workspace_id)
where m.account_id = $1 and w.deleted_at is null
  and (m.joined_at, w.workspace_id) > ($2, $3) and (m.joined_at, w.workspace_id) < ($4, $5)
  and ($6::text is null or m.role::jsonb = to_jsonb($6))
