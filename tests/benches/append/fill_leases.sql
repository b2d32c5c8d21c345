insert into working.seat_leases (lease_id, workspace_id, account_id, fence, ttl_seconds, renewed_at, expires_at)
select lpad(to_hex(n), 32, '0')::uuid, lpad(to_hex(n / 10), 32, '0')::uuid, gen_random_uuid(), 1, 86400,
  clock_timestamp(), clock_timestamp() + interval '1 day'
from generate_series(0, $1::bigint - 1) n
