-- People who are signed in, and stay so.
insert into working.sessions (token_hash, session_id, account_id, kind, opened_at, last_used_at, idle_seconds, idle_until,
  absolute_until, account_version)
select sha256(int8send(n)), ('4' || lpad(to_hex(n), 31, '0'))::uuid, ('1' || lpad(to_hex(n), 31, '0'))::uuid, 'browser',
  now(), now(), 864000, now() + interval '10 days', now() + interval '30 days', 1
from generate_series(1, $1::bigint) n
