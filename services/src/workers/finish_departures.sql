-- Of the fences up to $1, which the memberships and the workspaces have been read up to. A parked stream may hold what
-- they do not show yet, and a workspace without a row is not deleted.
delete from working.departures d
where d.position <= $1
  and not exists (select from readers.parked where reader in ('memberships', 'workspaces') and not replay)
  and not exists (
    select from read_models.memberships m left join read_models.workspaces_v3 w using (workspace_id)
    where m.account_id = d.account_id and w.deleted_at is null)
