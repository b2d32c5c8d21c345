-- Its owner lets go of it, and nobody takes it.
insert into working.server_monitors as m (server_id, workspace_id, stopped_at)
select $1, $2, clock_timestamp()
where not exists (select from event_log.fences where subject = $2)
on conflict (server_id) do update
set fence = m.fence + 1, node = null, stopped_at = coalesce(m.stopped_at, clock_timestamp())
