update keyring.shards s set wrapped = w.wrapped, root_id = $3
from unnest($1::uuid[], $2::bytea[]) as w(generation, wrapped)
where s.generation = w.generation and s.state = 'live'
