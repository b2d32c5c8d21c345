-- What a node watches, and what another one has said of it. No pause lasts longer than an hour: a longer one is of a clock
-- that ran ahead.
select server_id, workspace_id, fence, failures, failing_since, refused,
  coalesce(next_at > clock_timestamp() and next_at < clock_timestamp() + interval '2 hours', false),
  opinion_wanted_at, opinion
from working.server_monitors
where node = $1
