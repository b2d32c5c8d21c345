-- A lease that is over, or was given by a clock that ran ahead, is nobody's, but this node's own: its reader may be
-- renewing it in a long transaction.
select name || '/' || version as label,
  case when node = $1 or lease_until > clock_timestamp()
      and lease_until <= clock_timestamp() + 2 * make_interval(secs => $2) then node end as node,
  coalesce(lease_until < clock_timestamp() - make_interval(secs => $2), false) as waits,
  position,
  (select coalesce(max(position), 0) from event_log.events) as head
from readers.checkpoints
order by label
