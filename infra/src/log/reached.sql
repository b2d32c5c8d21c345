-- Whether a projection shows what stands at $3. Its checkpoint may say less for a moment: events that it does not want
-- are written there later. Only few events are looked through: a reader that is far behind has not reached $3.
select c.position >= $3 or c.position >= $3 - 5000
  and exists (select from event_log.events where position = $3)
  and not exists (
    select from event_log.events e
    where e.position > c.position and e.position <= $3
      and (e.event_type = any ($4) or cardinality($4::text[]) = 0))
from readers.checkpoints c where c.name = $1 and c.version = $2
