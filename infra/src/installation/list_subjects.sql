-- Whom the newest sealed events are about.
select distinct subject
from (select subjects from event_log.events where sealed is not null order by position desc limit 100) e,
  unnest(e.subjects) subject
