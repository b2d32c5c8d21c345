select workspace_id from working.seat_leases
where expires_at <= clock_timestamp()
group by workspace_id
order by min(expires_at)
limit $1
