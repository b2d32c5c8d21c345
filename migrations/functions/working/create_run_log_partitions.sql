-- Creates the missing partitions of run logs for the days `since` to `until`, 61 at most. They are attached, not
-- created in place, which would block readers and writers.
create or replace function working.create_run_log_partitions(since date, until date) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  day  date;
  name text;
begin
  if until - since > 60 then
    raise exception 'not more than 60 days at once';
  end if;
  perform pg_advisory_xact_lock('working.run_log_chunks'::regclass::bigint);
  for day in select generate_series(since, until, '1 day')::date loop
    name := 'run_log_chunks_' || to_char(day, 'YYYYMMDD');
    if to_regclass('working.' || name) is null then
      execute format('create table working.%I (like working.run_log_chunks including all)', name);
      execute format('alter table working.run_log_chunks attach partition working.%I
        for values from (%L) to (%L)', name, day, day + 1);
    end if;
  end loop;
end $$;

revoke all on function working.create_run_log_partitions from public;
grant execute on function working.create_run_log_partitions to lethe_app;
