-- A replay under way starts over: an earlier version named its table otherwise, and nothing would delete that one.
delete from readers.replays;
delete from readers.parked where replay;
do $$ declare shadow text; begin
  set local role lethe_app;                   -- it owns the tables of the projections
  for shadow in
    select tablename from pg_tables where schemaname = 'read_models' and tablename ~ '_(beside|shadow)$'
  loop
    execute format('drop table read_models.%I', shadow);
  end loop;
  reset role;
end $$;

-- Which revision and text of migrations/functions each function has. The comments of the functions held this before:
-- a dump or a restore may leave out comments, and then an older programme would replace newer functions.
create table event_log.function_revisions (
  name     text primary key,                  -- with its schema
  revision int  not null,
  sha256   text not null                      -- of the file, in hexadecimal digits
);
do $$ declare f record; begin
  for f in
    select format('%s.%s', n.nspname, p.proname) as name,
      regexp_match(obj_description(p.oid, 'pg_proc'), '^revision (\d+), sha256 ([0-9a-f]+)$') as stamp
    from pg_proc p join pg_namespace n on n.oid = p.pronamespace
    where n.nspname in ('event_log', 'working')
  loop
    continue when f.stamp is null;
    insert into event_log.function_revisions values (f.name, f.stamp[1]::int, f.stamp[2]);
    execute format('comment on function %s is null', f.name);
  end loop;
end $$;
