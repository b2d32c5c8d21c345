insert into readers.generations (name, version, generation, state, build, node, lease_until, ceiling)
select $1::text, $2::smallint, coalesce(max(generation), 0) + 1, 'building', $3::text, $4::uuid,
  clock_timestamp() + make_interval(secs => $5), $6::bigint
from readers.generations
where name = $1::text and version = $2::smallint
returning generation, fence
