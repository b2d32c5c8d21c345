insert into working.nodes (node, part, serves, lease_until)
values ($1, $2, $3, clock_timestamp() + make_interval(secs => $4))
on conflict (node, part) do update set serves = excluded.serves, lease_until = excluded.lease_until
