select m.membership_id, m.workspace_id, m.account_id, m.role, m.joined_at, m.position
from event_log.fences f
join read_models.memberships m on m.account_id = f.subject
join read_models.workspaces w using (workspace_id)
where w.deleted_at is null
limit $1
