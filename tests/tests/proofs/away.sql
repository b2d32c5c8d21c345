-- As if no node had run for a week: what Lethe has noted of runs is older by as much, and no log has tables of these days.
select working.create_run_log_partitions(
  (now() at time zone 'utc')::date - 8, (now() at time zone 'utc')::date - 4);
update working.run_log_chunks set day = day - 7, at = at - interval '7 days';
update working.run_log_usage set day = day - 7;
update working.run_tasks
set queued_at = queued_at - interval '7 days', lease_until = lease_until - interval '7 days',
  started_at = started_at - interval '7 days', deadline = deadline - interval '7 days',
  seen_at = seen_at - interval '7 days';
update working.run_secrets set created_at = created_at - interval '7 days';
update working.leader_leases set lease_until = lease_until - interval '7 days';
do $$
declare
  name text;
begin
  for name in
    select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where i.inhparent = 'working.run_log_chunks'::regclass
      and to_date(right(c.relname, 8), 'YYYYMMDD') > (now() at time zone 'utc')::date - 4
  loop
    execute format('drop table working.%I', name);
  end loop;
end $$;
-- Of a request that never came: the sweep deletes it.
insert into working.run_secrets (secrets_id, run_id, workspace_id, sealed, created_at)
select gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), '', now() - interval '7 days';
