-- A node that came later gets its share.
with fair as (
  select ceil(
    (select count(*) from working.server_monitors)::numeric
    / greatest(1, (select count(*) from working.live_nodes where part = 'monitors'))
  )::bigint as share),
extra as (
  select server_id from working.server_monitors
  where node = $1
  order by server_id
  offset (select share from fair)
  limit $2)
update working.server_monitors m set node = null
from extra
where m.server_id = extra.server_id and m.node = $1
