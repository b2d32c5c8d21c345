select m.workspace_id, m.account_id
from working.departures d
join read_models.memberships m using (account_id)
join read_models.workspaces w using (workspace_id)
where w.deleted_at is null and (w.deletion_due is null or w.members > 1)
order by m.workspace_id, m.account_id
limit $1 offset $2
