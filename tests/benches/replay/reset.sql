-- Every version of the table, and its checkpoint.
do $$ declare found text; begin
  for found in
    select tablename from pg_tables where schemaname = 'read_models' and tablename ~ '^{name}(_v\d+)?$'
  loop
    execute format('drop table read_models.%I', found);
  end loop;
  delete from readers.checkpoints where name = '{name}';
end $$
