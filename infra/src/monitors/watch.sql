-- Whatever was known of it before is stale: its owner lets go of it, and it is taken anew.
insert into working.server_monitors as m (server_id, workspace_id)
select $1, $2
where not exists (select from event_log.fences where subject = $2)
on conflict (server_id) do update
set fence = m.fence + 1, node = null, failures = 0, failing_since = null, refused = 0, next_at = null,
  stopped_at = null, opinion_wanted_at = null, opinion_by = null, opinion = null
