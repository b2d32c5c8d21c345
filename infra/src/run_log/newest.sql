-- Of each of these logs the newest line that was stored since the day $4, and the newest version of its run. What is older
-- was there when the log was read first; and of a run that is followed, its newest events are recent.
select
  coalesce((
    select c.last_line from working.run_log_chunks c
    where c.run_id = l.run_id and c.server_id = l.server_id and c.attempt = l.attempt and c.day >= $4
    order by c.seq desc
    limit 1), 0) as last_line,
  coalesce((
    select e.version from event_log.events e
    where e.stream_id = l.run_id and e.position >= event_log.recent_from()
    order by e.version desc
    limit 1), 0) as version
from unnest($1::uuid[], $2::uuid[], $3::int[]) with ordinality as l (run_id, server_id, attempt, number)
order by l.number
