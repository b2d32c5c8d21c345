-- An insert alone would wait for the transaction of a reader that is at work on another node.
insert into readers.checkpoints (name, version, kind, generation)
select $1::text, $2::smallint, $3::text, coalesce((
  select generation from readers.generations where name = $1::text and version = $2::smallint and state = 'live'), 0)
where not exists (select from readers.checkpoints where name = $1::text and version = $2::smallint)
on conflict (name, version) do nothing
