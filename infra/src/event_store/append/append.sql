select a.head, a.waited_seconds, r.append, r.outcome::text, r.first_position, r.last_position, r.streams
from event_log.append_guarded($1, $2, $3) a
left join unnest(a.refused) r on true
