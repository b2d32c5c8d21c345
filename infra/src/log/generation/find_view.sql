-- What has the view's name, if anything, and whether there is a generation for it to show.
select (select relkind::text from pg_class where oid = to_regclass($1)),
  exists (select from readers.generations where name = $2 and version = $3 and state = 'live')
