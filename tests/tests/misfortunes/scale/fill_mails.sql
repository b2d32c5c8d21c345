-- Mails that were sent in the last 10 days. They stay for longer.
insert into working.outbox (mail_id, cause, kind, tenant_id, subject_id, address, state, attempts, next_at, via, created_at,
  finished_at)
select of.id, of.id, 'verify_email', of.person, of.person, '', 'sent', 1, sent_at, 'folder', sent_at, sent_at
from generate_series(1, $1::bigint) n
cross join lateral (
  select ('5' || lpad(to_hex(n), 31, '0'))::uuid as id, ('1' || lpad(to_hex(n), 31, '0'))::uuid as person,
    now() - interval '10 days' * n / $1 as sent_at) of
