-- One replay of a projection at a time; one whose lease has ended is taken over.
insert into readers.replays as r (name, version, node, lease_until, ceiling)
values ($1, $2, $3, clock_timestamp() + make_interval(secs => $4), $5)
on conflict (name, version) do update
set node = excluded.node, fence = r.fence + 1, lease_until = excluded.lease_until, ceiling = excluded.ceiling,
  started_at = clock_timestamp(), position = case when $6 then r.position else 0 end, indexed = $6 and r.indexed
where r.lease_until is null or r.lease_until <= clock_timestamp()
  -- The clock ran ahead.
  or r.lease_until > clock_timestamp() + 2 * make_interval(secs => $4)
returning fence, position, indexed
