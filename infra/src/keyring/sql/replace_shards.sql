-- Those that are locked for it, so that no key comes under them, and have no key left.
update keyring.shards s set state = 'replaced'
where generation = any($1) and not exists (
  select from keyring.keys k where k.generation = s.generation and k.wrapped is not null)
