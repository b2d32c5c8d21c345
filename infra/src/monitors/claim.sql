-- Those that nobody has, or whose node has died.
with free as (
  select m.server_id from working.server_monitors m
  where m.stopped_at is null and not exists (
    select from working.live_nodes n where n.part = 'monitors' and n.node = m.node)
  order by m.server_id
  limit $2
  for update of m skip locked)
update working.server_monitors m
set node = $1, fence = m.fence + 1
from free
where m.server_id = free.server_id
