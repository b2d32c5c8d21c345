-- Each version of the view, each generation of its table, and what is known of them.
do $$ declare found text; begin
  for found in
    select viewname from pg_views where schemaname = 'read_models' and viewname ~ '^{name}(_v\d+)?$'
  loop
    execute format('drop view read_models.%I', found);
  end loop;
  for found in
    select tablename from pg_tables where schemaname = 'read_models' and tablename ~ '^{name}_v\d+_g\d+$'
  loop
    execute format('drop table read_models.%I', found);
  end loop;
  delete from readers.generations where name = '{name}';
  delete from readers.checkpoints where name = '{name}';
end $$
