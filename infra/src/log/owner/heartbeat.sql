insert into readers.nodes (node, readers, lease_until)
values ($1, $2, clock_timestamp() + make_interval(secs => $3))
on conflict (node) do update set readers = excluded.readers, lease_until = excluded.lease_until
