with recursive kinds (kind) as (
  (select kind from event_log.reservations order by kind limit 1)
  union all
  select (select c.kind from event_log.reservations c where c.kind > k.kind order by c.kind limit 1)
  from kinds k where k.kind is not null)
select kind from kinds where kind is not null
