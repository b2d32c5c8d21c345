-- The lease is over when nobody has renewed it, and also when the clock ran ahead as somebody did.
select generation, position, ceiling, indexed, build, error,
  coalesce(lease_until <= clock_timestamp() or lease_until > clock_timestamp() + 2 * make_interval(secs => $3), true)
from readers.generations
where name = $1 and version = $2 and state in ('requested', 'building')
