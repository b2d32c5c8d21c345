-- Whoever has a key of fill_keys.sql beside one that was erased is erased, too: a rotation could not wrap that key again.
update keyring.keys k set wrapped = null, destroyed_at = now()
from keyring.shards s
where s.state = 'tainted' and k.generation = s.generation and k.wrapped = decode(repeat('5a', 60), 'hex')
