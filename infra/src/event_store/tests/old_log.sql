-- 20 partitions of 100 positions, and 1,910 streams of one event each. Their ids and command ids are their positions.
-- The last 10 events are of today, the others older than 30 days.
drop table event_log.events_1;
select event_log.create_partition(n * 100 + 1, n * 100 + 100) from generate_series(0, 19) n;
insert into event_log.events
select n, '00000000-0000-0000-0000-000000000001', 'car', lpad(to_hex(n), 32, '0')::uuid, 1, gen_random_uuid(), 'car.drove',
  1, '{"metres":1}', null, array[lpad(to_hex(n), 32, '0')::uuid], null, null, null, null, null,
  lpad(to_hex(n), 32, '0')::uuid, null, 1, clock_timestamp() - case when n > 1900 then interval '1 day' else interval '31 days' end
from generate_series(1, 1910) n;
select event_log.move_recent_from();
