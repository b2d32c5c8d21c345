-- Of the fences up to $1, which the memberships and the workspaces have been read up to. A workspace without a row is not
-- deleted, and a membership that is not shown yet joined a stream that the memberships have parked. Where such a join
-- does not say whom it is about, it may be anybody.
with hidden as materialized (
  select e.data ->> 'account' as account
  from readers.parked p
  join event_log.events e on e.stream_id = p.stream_id and e.position >= p.from_position
  where p.reader = 'memberships' and not p.replay and e.event_type = 'workspace.member_joined')
delete from working.departures d
where d.position <= $1
  and not exists (select from hidden h where h.account is null or h.account = d.account_id::text)
  and not exists (
    select from read_models.memberships m left join read_models.workspaces_v3 w using (workspace_id)
    where m.account_id = d.account_id and w.deleted_at is null)
