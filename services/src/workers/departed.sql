select m.workspace_id, m.account_id
from working.departures d
join read_models.memberships m using (account_id)
join read_models.workspaces_v3 w using (workspace_id)
where w.deleted_at is null and (
  w.deletion_due is null or w.members > 1
  -- Its own, or those of service accounts: nobody else belongs to it.
  or exists (select from working.api_tokens t where t.workspace_id = m.workspace_id and t.named)
  or exists (select from working.invitations i where i.workspace_id = m.workspace_id))
order by m.workspace_id, m.account_id
limit $1 offset $2
