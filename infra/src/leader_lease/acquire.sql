insert into working.leader_leases as t (name, node, until)
values ($1, $2, clock_timestamp() + make_interval(secs => $3))
on conflict (name) do update set node = excluded.node, until = excluded.until
where t.node = excluded.node or t.until <= clock_timestamp()
