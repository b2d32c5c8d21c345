-- Creates the partitions of server samples for `days` days from `first` on, 31 at most. Answers how many were missing.
create or replace function working.create_sample_partitions(first date, days integer) returns integer
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  day  date;
  name text;
  created integer := 0;
begin
  perform pg_advisory_xact_lock(hashtextextended('working.server_samples', 0));
  for day in select first + n from generate_series(0, least(days, 31) - 1) as n loop
    name := 'server_samples_' || to_char(day, 'YYYYMMDD');
    if to_regclass('working.' || name) is null then
      execute format('create table working.%I (like working.server_samples including all)', name);
      execute format(
        'alter table working.server_samples attach partition working.%I for values from (%L) to (%L)',
        name, day::timestamp at time zone 'utc', (day + 1)::timestamp at time zone 'utc');
      created := created + 1;
    end if;
  end loop;
  return created;
end $$;

revoke all on function working.create_sample_partitions from public;
grant execute on function working.create_sample_partitions to lethe_app;
