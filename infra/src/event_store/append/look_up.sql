select e.event_id, e.position, e.stream_id, e.version, c.request_mac
from event_log.events c
join event_log.events e on e.position between c.position and c.position + c.events - 1
where c.tenant_id = $1 and c.command_id = $2
  and c.position >= event_log.recent_from() and e.position >= event_log.recent_from()
order by e.position
