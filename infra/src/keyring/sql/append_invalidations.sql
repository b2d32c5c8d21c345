with drawn as (
  update keyring.last_invalidation set sequence = sequence + cardinality($1::text[])
  returning sequence - cardinality($1::text[]) as before
)
insert into keyring.invalidations (sequence, kind, subject, class, number, invalidated_at)
select drawn.before + d.n, d.kind, d.subject, d.class, d.number, $5
from drawn, unnest($1::text[], $2::uuid[], $3::smallint[], $4::bigint[])
  with ordinality as d(kind, subject, class, number, n)
