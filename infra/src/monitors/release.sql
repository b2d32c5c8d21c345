with surplus as (
  select server_id from working.server_monitors
  where node = $1
  order by server_id desc
  limit $2)
update working.server_monitors m set node = null
from surplus
where m.server_id = surplus.server_id and m.node = $1
