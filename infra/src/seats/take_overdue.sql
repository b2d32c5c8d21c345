delete from working.seat_leases
where lease_id in (
    select lease_id from working.seat_leases
    where workspace_id = $1 and expires_at <= clock_timestamp()
    order by expires_at
    limit $2
    for update skip locked)
  and expires_at <= clock_timestamp()
returning lease_id, account_id
