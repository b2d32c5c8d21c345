-- What is written late says less than what is there. A server that was reached is waited for no more.
update working.server_monitors m
set failures = s.failures, failing_since = s.failing_since, refused = s.refused,
  next_at = case when s.failures = 0 then null else m.next_at end
from unnest($1::uuid[], $2::bigint[], $3::integer[], $4::timestamptz[], $5::integer[])
  as s (server_id, fence, failures, failing_since, refused)
where m.server_id = s.server_id and m.fence = s.fence
  and (s.failing_since is distinct from m.failing_since or s.failures >= m.failures)
