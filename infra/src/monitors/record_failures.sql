update working.server_monitors m
set failures = s.failures, failing_since = s.failing_since
from unnest($1::uuid[], $2::bigint[], $3::integer[], $4::timestamptz[])
  as s (server_id, fence, failures, failing_since)
where m.server_id = s.server_id and m.fence = s.fence
