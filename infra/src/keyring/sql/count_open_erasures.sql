select count(*) as count, min(requested_at) as oldest,
  count(*) filter (where requested_at <= $1) as overdue
from keyring.erasures where state in ('requested', 'fenced', 'destroyed')
