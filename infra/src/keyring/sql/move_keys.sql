update keyring.keys k set wrapped = w.wrapped, generation = w.generation, root_id = null
from unnest($1::text[], $2::uuid[], $3::smallint[], $4::bigint[], $5::bytea[], $6::uuid[])
  as w(kind, subject, class, number, wrapped, generation)
where (k.kind, k.subject, k.class, k.number) = (w.kind, w.subject, w.class, w.number) and k.wrapped is not null
