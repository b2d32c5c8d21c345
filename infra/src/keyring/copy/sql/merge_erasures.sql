-- The state of the copy, unless the keyring's own is further. A subject has one erasure that is not cancelled: of one in
-- the copy and another in the keyring the further one stays, of two that are as far the later one.
with copied as (
  select * from json_populate_recordset(null::keyring.erasures, $1::text::json)
), pairs as (
  select c.subject, c.requested_at as copied_at, k.requested_at as own_at,
    (coalesce(array_position('{fenced,destroyed,completed,backup_proven}', c.state), 0), c.requested_at)
      > (coalesce(array_position('{fenced,destroyed,completed,backup_proven}', k.state), 0), k.requested_at) as is_further
  from copied c join keyring.erasures k on k.subject = c.subject and k.requested_at <> c.requested_at
  where c.state <> 'cancelled' and k.state <> 'cancelled' and not exists (
    select from copied o where (o.subject, o.requested_at) = (k.subject, k.requested_at) and o.state = 'cancelled')
), cancelled as (
  update keyring.erasures k set state = 'cancelled', cancelled_at = clock_timestamp()
  from pairs p where p.is_further and (k.subject, k.requested_at) = (p.subject, p.own_at)
  returning k.subject
)
insert into keyring.erasures as e (subject, requested_at, due, claim_code_hash, state, cancelled_at, fenced_at,
  fenced_at_position, destroyed_at, keys, last_root, completed_at, backup_proven_at, kind, append_pending,
  runs_left, runs_left_servers)
select c.subject, requested_at, due, claim_code_hash, case when p.subject is null then state else 'cancelled' end,
  case when p.subject is null then cancelled_at else clock_timestamp() end, fenced_at, fenced_at_position, destroyed_at, keys,
  last_root, completed_at, backup_proven_at, kind, append_pending, runs_left, runs_left_servers
from copied c left join pairs p on not p.is_further and (p.subject, p.copied_at) = (c.subject, c.requested_at)
where (select count(*) from cancelled) >= 0  -- they are cancelled first
order by state <> 'cancelled'
on conflict (subject, requested_at) do update
set due = excluded.due, state = excluded.state, cancelled_at = excluded.cancelled_at, fenced_at = excluded.fenced_at,
  fenced_at_position = excluded.fenced_at_position, destroyed_at = excluded.destroyed_at, keys = excluded.keys,
  last_root = excluded.last_root, completed_at = excluded.completed_at, backup_proven_at = excluded.backup_proven_at,
  append_pending = excluded.append_pending, runs_left = coalesce(excluded.runs_left, e.runs_left),
  runs_left_servers = coalesce(excluded.runs_left_servers, e.runs_left_servers)
where coalesce(array_position('{fenced,destroyed,completed,backup_proven}', excluded.state), 0)
  >= coalesce(array_position('{fenced,destroyed,completed,backup_proven}', e.state), 0)
