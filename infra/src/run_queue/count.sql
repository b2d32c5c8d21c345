-- At most 10,000 of each state are counted.
select state, tasks, coalesce(extract(epoch from clock_timestamp() - oldest), 0)::float8 as oldest_seconds
from (
  select 'queued' as state, (select min(queued_at) from working.run_tasks where state = 'queued') as oldest,
    (select count(*) from (select from working.run_tasks where state = 'queued' limit 10000) counted) as tasks
  union all
  select 'running' as state, (select min(queued_at) from working.run_tasks where state = 'running') as oldest,
    (select count(*) from (select from working.run_tasks where state = 'running' limit 10000) counted) as tasks
  union all
  select 'lost' as state, (select min(queued_at) from working.run_tasks where state = 'lost') as oldest,
    (select count(*) from (select from working.run_tasks where state = 'lost' limit 10000) counted) as tasks) counts
where tasks > 0
