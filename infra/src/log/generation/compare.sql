-- So many keys after one, and the rows of both generations up to the last of them: all in one snapshot, in which both have
-- the same events; no position if one of the two ($6) is written no more. Where the row differs as text only, as JSON does
-- by the order of its fields, it is the same.
with a as materialized (
  select t.{key} as key, t as line from {live} t
  where $1::text is null or t.{key} > $1::text::{key_type} order by t.{key} limit $2::int8),
b as materialized (
  select t.{key} as key, t as line from {other} t
  where $1::text is null or t.{key} > $1::text::{key_type} order by t.{key} limit $2::int8),
-- None where both have come to the end of their tables.
edge as materialized (
  select key from (
    (select key from a order by key offset $2::int8 - 1 limit 1) union all
    (select key from b order by key offset $2::int8 - 1 limit 1)) full_pages
  order by key limit 1),
live as materialized (
  select * from a where not exists (select from edge) or key <= (select key from edge)),
other as materialized (
  select * from b where not exists (select from edge) or key <= (select key from edge)),
unlike as materialized (
  select coalesce(l.key, o.key) as key, l.key is null as is_more, o.key is null as is_missing,
    to_jsonb(l.line) as live, to_jsonb(o.line) as other
  from live l full join other o on l.key = o.key
  where l.line::text is distinct from o.line::text),
named as (
  select key, is_more, is_missing, array(
    select l.name
    from jsonb_each(live) l (name, value) join jsonb_each(other) o (name, value) on l.name = o.name
    where l.value is distinct from o.value
    order by l.name) as changed
  from unlike)
select (
    select position from readers.checkpoints
    where name = $4 and version = $5 and 2 = (
      select count(*) from readers.generations
      where name = $4 and version = $5 and generation = any ($6::int[]) and state in ('joined', 'live', 'kept'))),
  (select count(*) from live), (select count(*) from other), (select key::text from edge),
  n.key::text, n.is_more, n.is_missing, n.changed
from (values (1)) one
left join lateral (
  select * from named
  where is_more or is_missing or changed <> '{}'
  order by key limit $3::int8) n on true
