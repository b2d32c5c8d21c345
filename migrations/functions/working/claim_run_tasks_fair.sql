-- Takes up to `most` tasks for a node, one node at a time. First those whose worker died; then what is queued, of the
-- workspace and the account with the fewest running tasks, and the oldest of it; then lost tasks, which may be found
-- again. A deployment waits while another run of it may be at work on its server. A later attempt of that run does not:
-- it ends the lost one before it begins.
--
-- `newcomers`: only the slots are free that a node keeps for those who have none. Each workspace and each account may
-- have one task then, and what is lost waits. What was begun, or is cancelled, is taken in any case.
--
-- What it reads does not grow with the queue: for each workspace that waits it looks at the first 4 tasks (32 if few
-- workspaces wait), and only where none of them can be taken, at the first of each server, deployment and account. It
-- looks at `2 * most` workspaces that follow `after`, around to `upto`, and at those of as many oldest tasks; where too few
-- of these can be taken, at 250 of each. Each row names the last that follow in `through` where more wait, from which
-- the next call goes on; the last row has no task.
--
-- Statistics may be old, as after a restore that lost all tasks at once. So no plan depends on them: a `limit 1` is no
-- join, the index by age is for questions that say `queued_at > '-infinity'`, and the index by queue for those that say
-- `coalesce(state, '')` and `coalesce(workspace_id, nobody)`. What is at work is read once.
create or replace function working.claim_run_tasks_fair(
  claimant uuid, most int, lease_seconds float8, per_server int, per_workspace int, per_account int, newcomers boolean,
  after uuid, upto uuid)
returns table (task working.run_tasks, through uuid)
language plpgsql set search_path = pg_catalog, pg_temp
  set enable_seqscan = off set enable_bitmapscan = off set jit = off as $$
declare
  nobody constant uuid := '00000000-0000-0000-0000-000000000000';
  around  constant boolean := after >= upto;  -- over the end of the ids
  furthest constant uuid := case when after < upto then upto else 'ffffffff-ffff-ffff-ffff-ffffffffffff' end;
  places int;
  workspace_most constant int := case when newcomers then 1 else per_workspace end;
  account_most   constant int := case when newcomers then 1 else per_account end;
  passed  uuid[];  -- the workspaces that wait, each found from the one before
  won working.run_tasks;
  present timestamptz;  -- a condition on an index
  ahead timestamptz;    -- a lease that ends later was given by a clock that ran ahead
  chosen  record;
  taken int := 0;
begin
  perform pg_advisory_xact_lock('working.run_tasks'::regclass::bigint);
  present := clock_timestamp();
  ahead := present + 2 * make_interval(secs => lease_seconds);
  foreach places in array array[2 * most, 250] loop
    with recursive forward (workspace_id, place) as (
      (select workspace_id, 1 from working.run_tasks
       where state = 'queued' and workspace_id > after and workspace_id <= furthest order by workspace_id limit 1)
      union all
      select q.workspace_id, a.place + 1 from forward a cross join lateral (
        select q.workspace_id from working.run_tasks q
        where q.state = 'queued' and q.workspace_id > a.workspace_id and q.workspace_id <= furthest
        order by q.workspace_id limit 1) q
      where a.place < places),
    counted as materialized (select count(*)::int as forward from forward),
    from_first (workspace_id, place) as (
      (select q.workspace_id, c.forward + 1 from counted c cross join lateral (
         select q.workspace_id from working.run_tasks q
         where q.state = 'queued' and q.workspace_id <= upto order by q.workspace_id limit 1) q
       where around and c.forward < places)
      union all
      select q.workspace_id, f.place + 1 from from_first f cross join lateral (
        select q.workspace_id from working.run_tasks q
        where q.state = 'queued' and q.workspace_id > f.workspace_id and q.workspace_id <= upto
        order by q.workspace_id limit 1) q
      where f.place < places)
    select array_agg(workspace_id order by place) into passed
    from (select * from forward union all select * from from_first) walk;
    through := nullif(passed[places], upto);
    for chosen in
      with recursive busy as materialized (
        select * from working.run_tasks where state = 'running'),
      of_workspace as materialized (
        select workspace_id, count(*) as tasks from busy group by workspace_id),
      of_account as materialized (
        select requester_id, count(*) as tasks from busy where requester_id is not null group by requester_id),
      of_server as materialized (
        select server_id, count(*) as tasks from busy group by server_id),
      waiting as (
        select unnest(passed) as workspace_id
        union (
          select workspace_id from (
            select workspace_id from working.run_tasks
            where state = 'queued' and queued_at > '-infinity' order by queued_at limit places) oldest)),
      roomy as materialized (
        select w.workspace_id, coalesce(o.tasks, 0) as tasks
        from waiting w left join of_workspace o using (workspace_id)
        where coalesce(o.tasks, 0) < workspace_most),
      firsts as materialized (
        select r.workspace_id, r.tasks, q.run_id, q.server_id, q.attempt, q.queued_at, q.requester_id,
          coalesce(account.tasks, 0) as of_account
        from roomy r cross join lateral (
          select * from working.run_tasks q
          where q.state = 'queued' and q.workspace_id = r.workspace_id
          order by q.queued_at, q.run_id, q.server_id
          limit (select case when count(*) < 2 * most then 32 else 4 end from roomy)) q
        left join of_account account on account.requester_id = q.requester_id
        left join of_server server on server.server_id = q.server_id
        where coalesce(account.tasks, 0) < account_most and coalesce(server.tasks, 0) < per_server
          and (
            select true from working.run_tasks b
            where b.state in ('running', 'lost') and b.server_id = q.server_id and b.deployment_id = q.deployment_id
              and b.run_id <> q.run_id
            limit 1) is null),
      -- Where many tasks of a workspace wait for a few servers, or of a few accounts: its queues, one for each server,
      -- deployment and account, each found from the one before.
      blocked as (
        select * from roomy r where not exists (select from firsts f where f.workspace_id = r.workspace_id)),
      queues (workspace_id, tasks, server_id, deployment_id, requester_id) as (
        select b.workspace_id, b.tasks, q.server_id, q.deployment_id, q.requester_id
        from blocked b cross join lateral (
          select q.server_id, coalesce(q.deployment_id, nobody) as deployment_id,
            coalesce(q.requester_id, nobody) as requester_id
          from working.run_tasks q
          where coalesce(q.state, '') = 'queued' and coalesce(q.workspace_id, nobody) = b.workspace_id
          order by coalesce(q.workspace_id, nobody), q.server_id, coalesce(q.deployment_id, nobody),
            coalesce(q.requester_id, nobody)
          limit 1) q
        union all
        select c.workspace_id, c.tasks, q.server_id, q.deployment_id, q.requester_id
        from queues c cross join lateral (
          select q.server_id, coalesce(q.deployment_id, nobody) as deployment_id,
            coalesce(q.requester_id, nobody) as requester_id
          from working.run_tasks q
          where coalesce(q.state, '') = 'queued' and coalesce(q.workspace_id, nobody) = c.workspace_id
            and (q.server_id, coalesce(q.deployment_id, nobody), coalesce(q.requester_id, nobody))
              > (c.server_id, c.deployment_id, c.requester_id)
          order by coalesce(q.workspace_id, nobody), q.server_id, coalesce(q.deployment_id, nobody),
            coalesce(q.requester_id, nobody)
          limit 1) q),
      free_queues as materialized (
        select c.*, coalesce(account.tasks, 0) as of_account
        from queues c
        left join of_account account on account.requester_id = c.requester_id
        left join of_server server on server.server_id = c.server_id
        where coalesce(account.tasks, 0) < account_most and coalesce(server.tasks, 0) < per_server),
      -- Of each the first task; and of the run that the others of its deployment wait for, a later attempt.
      behind as (
        select c.workspace_id, c.tasks, q.run_id, q.server_id, q.attempt, q.queued_at, q.requester_id, c.of_account
        from free_queues c cross join lateral (
          (select * from working.run_tasks q
           where coalesce(q.state, '') = 'queued' and coalesce(q.workspace_id, nobody) = c.workspace_id and q.server_id = c.server_id
             and coalesce(q.deployment_id, nobody) = c.deployment_id and coalesce(q.requester_id, nobody) = c.requester_id
           order by q.queued_at, q.run_id limit 1)
          union all
          (select later.* from (
             select b.run_id from working.run_tasks b
             where b.state in ('running', 'lost') and b.server_id = c.server_id and b.deployment_id = c.deployment_id
             limit 1) holder
           cross join lateral (
             select * from working.run_tasks q
             where q.run_id = holder.run_id and q.server_id = c.server_id and q.state = 'queued'
               and coalesce(q.requester_id, nobody) = c.requester_id
             limit 1) later)) q
        where (
          select true from working.run_tasks b
          where b.state in ('running', 'lost') and b.server_id = q.server_id and b.deployment_id = q.deployment_id
            and b.run_id <> q.run_id
          limit 1) is null),
      candidates as (
        select 1 as class, 0::bigint as tasks, queued_at, run_id, server_id, attempt, false as limited
        from busy
        where coalesce(greatest(lease_until, next_at), '-infinity') <= present or lease_until > ahead
        union all
        select 2,
          greatest(tasks + row_number() over in_workspace, of_account + row_number() over in_account) - 1,
          queued_at, run_id, server_id, attempt, true
        from (select * from firsts union all select * from behind) q
        window in_workspace as (partition by workspace_id order by queued_at, run_id, server_id),
          in_account as (
            partition by coalesce(requester_id, workspace_id) order by queued_at, run_id, server_id)
        union all
        (select 2, 0, queued_at, run_id, server_id, attempt, false
         from working.run_tasks where state = 'queued' and cancel order by queued_at limit most)
        union all
        (select 3, 0, queued_at, run_id, server_id, attempt, false
         from working.run_tasks
         where state = 'lost' and coalesce(next_at, '-infinity') <= present and not newcomers
           and (lease_until is null or lease_until <= present or lease_until > ahead)
         order by coalesce(next_at, '-infinity') limit most))
      select * from candidates order by class, tasks, queued_at, run_id, server_id
    loop
      exit when taken >= most;
      update working.run_tasks t
      set fence = t.fence + 1, node = claimant,
        lease_until = clock_timestamp() + make_interval(secs => lease_seconds),
        state = case t.state when 'queued' then 'running' else t.state end,
        -- While no node had it, nobody looked.
        seen_at = coalesce(t.seen_at + greatest(clock_timestamp() - t.lease_until, interval '0'), clock_timestamp())
      where (t.run_id, t.server_id, t.attempt) = (chosen.run_id, chosen.server_id, chosen.attempt)
        -- What was taken, or set aside, since the candidates were read.
        and t.state <> 'paused' and (t.lease_until is null or t.lease_until <= clock_timestamp() or t.lease_until > ahead)
        and (not chosen.limited or t.cancel or (
          (select count(*) from working.run_tasks b
           where b.state = 'running' and b.server_id = t.server_id) < per_server
          and (select count(*) from working.run_tasks b
               where b.state = 'running' and b.workspace_id = t.workspace_id) < workspace_most
          and (select count(*) from working.run_tasks b
               where b.state = 'running' and b.requester_id = t.requester_id) < account_most
          and (
            select true from working.run_tasks b
            where b.state in ('running', 'lost') and b.server_id = t.server_id and b.deployment_id = t.deployment_id
              and b.run_id <> t.run_id
            limit 1) is null))
      returning t.* into won;
      if found then
        taken := taken + 1;
        task := won;
        return next;
      end if;
    end loop;
    exit when taken >= most or through is null;
  end loop;
  task := null;
  return next;
end $$;

revoke all on function working.claim_run_tasks_fair from public;
grant execute on function working.claim_run_tasks_fair to lethe_app;
