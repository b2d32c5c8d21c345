-- What every day leaves: an erased key of nobody, and a root. The roots come before those that there are.
with roots as (
  insert into keyring.roots (root_id, state, created_at, changed_by) overriding system value
  select -n, 'destroyed', now(), '0' from generate_series(1, $1::bigint) n)
insert into keyring.keys (kind, subject, class, number, root_id, created_at, destroyed_at, changed_by)
select 'request_mac', '00000000-0000-0000-0000-000000000000', 0, n, -n, now(), now(), '0'
from generate_series(1, $1::bigint) n
