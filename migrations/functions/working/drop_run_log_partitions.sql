-- Drops the partitions of run logs for the days before `before`. One that is in use is left for the next call.
-- Answers how many were dropped.
create or replace function working.drop_run_log_partitions(before date) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp set lock_timeout = '2s' as $$
declare
  name    text;
  dropped bigint := 0;
begin
  perform pg_advisory_xact_lock('working.run_log_chunks'::regclass::bigint);
  for name in
    select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where i.inhparent = 'working.run_log_chunks'::regclass
      and to_date(right(c.relname, 8), 'YYYYMMDD') < before
    order by c.relname
  loop
    begin
      execute format('drop table working.%I', name);
      dropped := dropped + 1;
    exception when lock_not_available then
      null;
    end;
  end loop;
  return dropped;
end $$;

revoke all on function working.drop_run_log_partitions from public;
grant execute on function working.drop_run_log_partitions to lethe_app;
