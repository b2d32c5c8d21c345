-- Runs: each server of a run is a task, and whoever works on it holds its fence.
create table working.run_tasks (
  run_id          uuid        not null,
  server_id       uuid        not null,
  attempt         integer     not null,
  workspace_id    uuid        not null,
  state           text        not null,            -- queued, running, lost
  fence           bigint      not null default 0,  -- grows with each worker that takes the task
  node            uuid,
  lease_until     timestamptz,                     -- by the database's clock, as all that follows
  queued_at       timestamptz not null,
  deployment_id   uuid,
  secrets_id      uuid,
  timeout_seconds integer     not null default 3600,
  next_at         timestamptz,                     -- not to be taken before
  launched        boolean     not null default false,  -- the start was sent: it may have arrived
  started_at      timestamptz,
  deadline        timestamptz,
  seen_at         timestamptz,                     -- when the server last answered for this attempt
  lost_at         timestamptz,
  cancel          boolean     not null default false,
  primary key (run_id, server_id, attempt)
);
create index run_tasks_by_age on working.run_tasks (state, queued_at);
create index run_tasks_of_node on working.run_tasks (node) where node is not null;

-- What runs are given and nobody else may see: sealed, and gone with the last attempt that needs it.
create table working.run_secrets (
  secrets_id   uuid        primary key,
  run_id       uuid        not null,
  workspace_id uuid        not null,
  sealed       bytea       not null,
  created_at   timestamptz not null default clock_timestamp()
);
create index run_secrets_by_age on working.run_secrets (created_at);

grant select, insert, update, delete on working.run_tasks, working.run_secrets to lethe_app;

-- Takes up to `most` tasks for a node, one node at a time. First those whose worker died; then what is
-- queued, of the workspace with the fewest at work and the oldest of it; then what was lost and may be found.
-- A deployment waits while another run of it may be at work on its server.
create function working.claim_run_tasks(
  claimant uuid, most int, lease_seconds float8, per_server int, per_workspace int)
returns setof working.run_tasks
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  perform pg_advisory_xact_lock('working.run_tasks'::regclass::bigint);
  for turn in 1..most loop
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
