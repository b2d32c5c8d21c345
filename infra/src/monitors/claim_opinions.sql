-- What the nodes of these servers ask, and nobody tries yet.
with wanted as (
  select m.server_id from working.server_monitors m
  where m.opinion_wanted_at > clock_timestamp() - make_interval(secs => $2)
    and m.opinion_by is null and m.node <> $1
  order by m.opinion_wanted_at
  limit $3
  for update of m skip locked)
update working.server_monitors m
set opinion_by = $1
from wanted
where m.server_id = wanted.server_id
returning m.server_id, m.workspace_id, m.opinion_wanted_at
