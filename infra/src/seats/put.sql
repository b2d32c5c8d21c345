insert into working.seat_leases (lease_id, workspace_id, account_id, fence, ttl_seconds, renewed_at, expires_at)
select $1::uuid, $2::uuid, $3::uuid, $4::bigint, $5::integer, $6::timestamptz, $6 + make_interval(secs => $5)
where not exists (select from event_log.fences where subject = $2)
on conflict (lease_id) do nothing
