with wanted as materialized (
  select w.* from unnest($1::text[], $2::uuid[], $3::smallint[], $4::bigint[], $5::bytea[])
    with ordinality as w(kind, subject, class, number, candidate, n)
), found as materialized (
  select w.n, k.number, k.wrapped, k.root_id from wanted w
  cross join lateral (
    select k.number, k.wrapped, k.root_id from keyring.keys k
    where k.kind = w.kind and k.subject = w.subject and k.class = w.class
      and (w.number is null or k.number = w.number)
    order by k.number desc limit 1
  ) k
), missing as materialized (
  select * from wanted w where w.candidate is not null and not exists (select from found f where f.n = w.n)
), under as materialized (
  -- The share lock meets the switch of the current root: a key is never left on the old one.
  select root_id from keyring.roots
  where root_id = $6 and state = 'current' and exists (select from missing)
  for share
), made as (
  insert into keyring.keys (kind, subject, class, number, wrapped, root_id, created_at)
  select m.kind, m.subject, m.class, coalesce(m.number, 1), m.candidate, under.root_id, $7
  from missing m cross join under
  order by m.kind, m.subject, m.class, m.number
  on conflict do nothing
  returning kind, subject, class, number, wrapped, root_id
), answer as (
  select n, number, wrapped, root_id from found
  union all
  select m.n, made.number, made.wrapped, made.root_id
  from made join missing m on (m.kind, m.subject, m.class, coalesce(m.number, 1))
    = (made.kind, made.subject, made.class, made.number)
)
select pg_is_in_recovery() as standby, l.sequence as last, a.n, a.number, a.wrapped, a.root_id
from keyring.last_invalidation l left join answer a on true
