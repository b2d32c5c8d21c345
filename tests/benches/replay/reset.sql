-- Every version of the view, its tables, and its checkpoint.
do $$ declare found text; begin
  for found in
    select format('drop %s if exists read_models.%I', case relkind when 'v' then 'view' else 'table' end, relname)
    from pg_class
    where relnamespace = 'read_models'::regnamespace and relkind in ('r', 'v')
      and relname ~ '^{name}(_v\d+)?(_g\d+)?$'
    order by relkind desc
  loop
    execute found;
  end loop;
  delete from readers.generations where name = '{name}';
  delete from readers.checkpoints where name = '{name}';
end $$
