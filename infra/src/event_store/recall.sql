select c.position, c.position + c.events - 1, c.request_mac, array(
  select (e.stream_id, max(e.version))::event_log.reached
  from event_log.events e
  where e.position between c.position and c.position + c.events - 1
  group by e.stream_id)
from event_log.events c
where c.tenant_id = $1 and c.command_id = $2
