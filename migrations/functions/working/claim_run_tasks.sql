-- Takes up to `most` tasks for a node, one node at a time. First those whose worker died; then what is queued, of the
-- workspace with the fewest running tasks, and the oldest of it; then lost tasks, which may be found again.
-- A deployment waits while another run of it may be at work on its server.
create or replace function working.claim_run_tasks(
  claimant uuid, most int, lease_seconds float8, per_server int, per_workspace int)
returns setof working.run_tasks
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  perform pg_advisory_xact_lock('working.run_tasks'::regclass::bigint);
  for n in 1..most loop
    return query
      update working.run_tasks t
      set fence = t.fence + 1, node = claimant,
        lease_until = clock_timestamp() + make_interval(secs => lease_seconds),
        state = case t.state when 'queued' then 'running' else t.state end,
        seen_at = coalesce(t.seen_at, clock_timestamp())
      from (
        with busy as (
          select b.run_id, b.server_id, b.workspace_id, b.deployment_id, b.state
          from working.run_tasks b where b.state in ('running', 'lost')),
        of_server as (
          select b.server_id, count(*) as tasks from busy b where b.state = 'running' group by b.server_id),
        of_workspace as (
          select b.workspace_id, count(*) as tasks from busy b where b.state = 'running' group by b.workspace_id)
        select q.run_id, q.server_id, q.attempt
        from working.run_tasks q
        left join of_server s using (server_id)
        left join of_workspace w using (workspace_id)
        where (q.lease_until is null or q.lease_until <= clock_timestamp())
          and (q.next_at is null or q.next_at <= clock_timestamp())
          and (q.state <> 'queued' or q.cancel
            or coalesce(s.tasks, 0) < per_server and coalesce(w.tasks, 0) < per_workspace
              and not exists (
                select from busy b
                where b.server_id = q.server_id and b.deployment_id = q.deployment_id))
        order by array_position(array['running', 'queued', 'lost'], q.state),
          case q.state when 'queued' then coalesce(w.tasks, 0) end, q.queued_at, q.run_id, q.server_id
        limit 1) chosen
      where (t.run_id, t.server_id, t.attempt) = (chosen.run_id, chosen.server_id, chosen.attempt)
      returning t.*;
    exit when not found;
  end loop;
end $$;

revoke all on function working.claim_run_tasks from public;
grant execute on function working.claim_run_tasks to lethe_app;
