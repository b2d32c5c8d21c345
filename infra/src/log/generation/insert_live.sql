insert into readers.generations (name, version, generation, state, indexed, built_at, live_at)
select $1::text, $2::smallint, coalesce(max(generation), 0) + 1, 'live', true, clock_timestamp(), clock_timestamp()
from readers.generations
where name = $1::text and version = $2::smallint
returning generation
