-- What a node watches, and what another one has said of it.
select server_id, workspace_id, fence, failures, failing_since, refused, coalesce(next_at > clock_timestamp(), false),
  opinion_wanted_at, opinion
from working.server_monitors
where node = $1
