-- Those that nobody has, or whose node's time is over; no more than a node's share.
with fair as (
  select ceil(
    (select count(*) from working.server_monitors)::numeric
    / greatest(1, (select count(*) from working.live_nodes where part = 'monitors'))
  )::bigint - (select count(*) from working.server_monitors where node = $1) as room),
free as (
  select m.server_id from working.server_monitors m
  where not exists (
    select from working.live_nodes n where n.part = 'monitors' and n.node = m.node)
  order by m.server_id
  limit least($2, greatest(0, (select room from fair)))
  for update of m skip locked)
update working.server_monitors m
set node = $1, fence = m.fence + 1
from free
where m.server_id = free.server_id
