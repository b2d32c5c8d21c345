-- Drops the partitions of server samples for the days before `first`. Answers how many there were.
create or replace function working.drop_sample_partitions(first date) returns integer
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  name    text;
  dropped integer := 0;
begin
  perform pg_advisory_xact_lock(hashtextextended('working.server_samples', 0));
  for name in
    select c.relname
    from pg_inherits i
    join pg_class c on c.oid = i.inhrelid
    where i.inhparent = 'working.server_samples'::regclass
      and to_date(right(c.relname, 8), 'YYYYMMDD') < first
  loop
    execute format('drop table working.%I', name);
    dropped := dropped + 1;
  end loop;
  return dropped;
end $$;

revoke all on function working.drop_sample_partitions from public;
grant execute on function working.drop_sample_partitions to lethe_app;
