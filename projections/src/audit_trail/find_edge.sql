-- The first position that was recorded at $1 or later (or the end), and the last that was recorded before.
-- The search by halves finds both if time grows with the position. What a clock that was set back has put on the wrong
-- side of them is found by the BRIN index, in those ranges only that hold such events: `+ 0` is how it has the position,
-- and keeps the primary key out of it, which would walk there from one end.
with recursive search (low, high) as (
  select 0::bigint, coalesce(max(position), 0) + 1 from read_models.audit_trail_v2
  union all
  select case when is_before then middle else low end, case when is_before then high else middle end
  from search
  cross join lateral (select (low + high) / 2 as middle) half
  cross join lateral (
    select recorded_at < $1 as is_before from read_models.audit_trail_v2
    where position >= middle order by position limit 1) found
  where high - low > 1)
select
  least(high, (
    select min(position + 0) from read_models.audit_trail_v2
    where recorded_at >= $1 and position + 0 < high)) as first,
  greatest(low, (
    select max(position + 0) from read_models.audit_trail_v2
    where recorded_at < $1 and position + 0 > low)) as last
from search
where high - low <= 1
