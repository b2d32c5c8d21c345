-- Which revision and text of migrations/functions each function has. The comments of the functions held this before:
-- a dump or a restore may leave out comments, and then an older programme would replace newer functions.
create table keyring.function_revisions (
  name     text primary key,                  -- with its schema
  revision int  not null,
  sha256   text not null                      -- of the file, in hexadecimal digits
);
do $$ declare f record; begin
  for f in
    select format('%s.%s', n.nspname, p.proname) as name,
      regexp_match(obj_description(p.oid, 'pg_proc'), '^revision (\d+), sha256 ([0-9a-f]+)$') as stamp
    from pg_proc p join pg_namespace n on n.oid = p.pronamespace
    where n.nspname = 'keyring'
  loop
    continue when f.stamp is null;
    insert into keyring.function_revisions values (f.name, f.stamp[1]::int, f.stamp[2]);
    execute format('comment on function %s is null', f.name);
  end loop;
end $$;
