insert into working.seat_leases (lease_id, workspace_id, account_id, fence, ttl_seconds, renewed_at, expires_at)
values ($1, $2, $3, $4, $5, $6::timestamptz, $6 + make_interval(secs => $5::integer))
on conflict (lease_id) do nothing
