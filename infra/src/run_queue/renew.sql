update working.run_tasks t
set lease_until = clock_timestamp() + make_interval(secs => $2),
  seen_at = case when held.reached then clock_timestamp() else t.seen_at end
from unnest($3::uuid[], $4::uuid[], $5::int[], $6::bigint[], $7::bool[])
  as held (run_id, server_id, attempt, fence, reached)
where (t.run_id, t.server_id, t.attempt, t.fence) = (held.run_id, held.server_id, held.attempt, held.fence)
  and t.node = $1
returning t.run_id, t.server_id, t.attempt, t.cancel
