-- Of the fences up to $1, which the memberships have been read up to. A parked stream may hold a membership that they do
-- not show yet.
delete from working.departures d
where d.position <= $1
  and not exists (select from readers.parked where reader = 'memberships' and not replay)
  and not exists (
    select from read_models.memberships m join read_models.workspaces_v2 w using (workspace_id)
    where m.account_id = d.account_id and w.deleted_at is null)
