-- One that was not built, and was followed by one that was, is no trouble any more.
select name, version,
  count(*) filter (where state = 'building'),
  count(*) filter (where state = 'joined'),
  count(*) filter (where state = 'kept'),
  coalesce(max(position) filter (where state = 'building'), 0),
  coalesce(max(ceiling) filter (where state = 'building'), 0),
  count(*) filter (where state = 'failed' and ended_at > clock_timestamp() - interval '1 day'
    and (built_at is not null or generation > newest_built))
from (
  select *, coalesce(max(generation) filter (where state <> 'failed' and built_at is not null)
    over (partition by name, version), 0) as newest_built
  from readers.generations) g
group by name, version
