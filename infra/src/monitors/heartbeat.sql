insert into working.monitor_nodes as n (node, until)
values ($1, clock_timestamp() + make_interval(secs => $2))
on conflict (node) do update set until = excluded.until
