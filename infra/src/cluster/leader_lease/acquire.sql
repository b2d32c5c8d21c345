-- A lease whose end is further away than twice its length was given by a clock that ran ahead: it is over.
insert into working.leader_leases as l (name, node, lease_until)
values ($1, $2, clock_timestamp() + make_interval(secs => $3))
on conflict (name) do update
set node = excluded.node, lease_until = excluded.lease_until,
  fence = l.fence + (l.node is distinct from excluded.node)::int
where l.node = excluded.node or l.lease_until is null or l.lease_until <= clock_timestamp()
  or l.lease_until > clock_timestamp() + 2 * make_interval(secs => $3)
returning fence
