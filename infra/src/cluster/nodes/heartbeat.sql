-- A row that another node is deleting, or whose part sends a heartbeat after all, is left to it.
with dead as (
  select node, part from working.nodes
  where (lease_until <= clock_timestamp()
      -- The clock ran ahead. Leases of other parts may be longer.
      or part = $2 and lease_until > clock_timestamp() + 2 * make_interval(secs => $4))
    and (node, part) <> ($1, $2)
  for update skip locked),
deleted as (
  delete from working.nodes n using dead where (n.node, n.part) = (dead.node, dead.part))
insert into working.nodes (node, part, serves, lease_until)
values ($1, $2, $3, clock_timestamp() + make_interval(secs => $4))
on conflict (node, part) do update set serves = excluded.serves, lease_until = excluded.lease_until
