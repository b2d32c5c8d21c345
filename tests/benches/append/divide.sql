drop table event_log.events_1;
select event_log.create_partition(n * 10000 + 1, case when n < 19 then n * 10000 + 10000 else 100000000 end)
from generate_series(0, 19) n;
