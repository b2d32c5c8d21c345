select a.head, r.outcome::text
from (values ('00000000-0000-0000-0000-00000000000b'::uuid)) u (id)
cross join lateral event_log.append(
  array[row(
    0, 0, u.id, 'account', u.id, 1, u.id, 'account.registered', 1, '{}', null, array[]::uuid[],
    null, null, null, null, null, u.id, null, null, 1)::event_log.new_event],
  array[row(0, 'email/1', '\x01', u.id, true)::event_log.new_reservation]) a
cross join unnest(a.refused) r
