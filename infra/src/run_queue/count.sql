select state, count(*),
  coalesce(extract(epoch from clock_timestamp() - min(queued_at)), 0)::float8 as oldest_seconds
from working.run_tasks group by state
