-- It is looked for again a day later, and then each time after as long as it has been lost by then; each minute where its
-- workspace is erased, and each 5 minutes where a run of its deployment waits for it: that begins only once it is certain
-- that this one does not run. One that was to be killed is looked for each hour of a day, and then each day. Whether it is
-- to be ended stays as it is.
with kept as materialized (
  select run_id, server_id, attempt, secrets_id,
    exists (select from event_log.fences where subject = workspace_id) as is_fenced,
    (select true from working.run_tasks q
     where q.state = 'queued' and coalesce(q.workspace_id, '00000000-0000-0000-0000-000000000000') = t.workspace_id
       and q.server_id = t.server_id
       and coalesce(q.deployment_id, '00000000-0000-0000-0000-000000000000') = t.deployment_id
     limit 1) is not null as is_waited_for
  from working.run_tasks t
  where run_id = $1 and server_id = $2 and attempt = $3 and fence = $4
  for update),
remaining as (
  update working.run_tasks t
  set state = 'lost', node = null, lease_until = null,
    secrets_id = null, lost_at = coalesce(t.lost_at, clock_timestamp()),
    next_at = clock_timestamp() + case when kept.is_fenced then interval '1 minute'
      when kept.is_waited_for then interval '5 minutes'
      when t.kill_tries > 0 and coalesce(t.lost_at > clock_timestamp() - interval '1 day', true) then interval '1 hour'
      when t.kill_tries > 0 then interval '1 day'
      else greatest(interval '1 day', clock_timestamp() - t.lost_at) end
  from kept where (t.run_id, t.server_id, t.attempt) = (kept.run_id, kept.server_id, kept.attempt))
delete from working.run_secrets s using kept
where s.secrets_id = kept.secrets_id
  and not exists (
    select from working.run_tasks t
    where t.secrets_id = s.secrets_id
      and (t.run_id, t.server_id, t.attempt) <> (kept.run_id, kept.server_id, kept.attempt))
