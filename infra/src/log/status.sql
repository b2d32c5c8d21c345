select c.name, c.version, c.kind, c.position, h.position, c.node, c.fence, c.processed, c.last_event_at, c.last_error,
  -- Who has read everything is not behind, however old its last event is. The next one may be missing or damaged:
  -- PostgreSQL refuses to subtract infinity.
  coalesce(extract(epoch from clock_timestamp() - case
    when c.position >= h.position then null
    when isfinite(n.recorded_at) then n.recorded_at
    else c.last_event_at end), 0)::float8,
  (select count(*) from readers.parked p where (p.reader, p.version) = (c.name, c.version) and not p.replay),
  r.position, r.ceiling,
  c.kind = 'projection' and c.position > 0
    and to_regclass(format('read_models.%I', c.name || case c.version when 1 then '' else '_v' || c.version end)) is null,
  c.generation
from readers.checkpoints c
cross join (select coalesce(max(position), 0) as position from event_log.events) h
left join event_log.events n on n.position = c.position + 1
left join readers.generations r on (r.name, r.version) = (c.name, c.version)
  and r.state = 'building' and r.lease_until > clock_timestamp()
order by c.name, c.version
