-- What wraps a key is what the merged keys say: one may have been moved from a shard key here, and be under it in the copy.
update keyring.shards s
set state = case
  when exists (select from keyring.keys k where k.generation = s.generation and k.wrapped is not null) then 'tainted'
  else 'replaced' end
