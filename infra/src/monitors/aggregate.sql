select floor(extract(epoch from taken_at - $2) / $4::integer)::bigint as step, count(*) as samples,
  avg(cpu_share) as cpu_avg, max(cpu_share) as cpu_max,
  avg(memory_used)::float8 as memory_avg, max(memory_used)::float8 as memory_max,
  max(memory_total) as memory_total,
  avg(disk_used)::float8 as disk_avg, max(disk_used)::float8 as disk_max,
  max(disk_total) as disk_total,
  avg(load) as load_avg, max(load) as load_max,
  max(uptime_seconds) as uptime_seconds
from working.server_samples
where server_id = $1 and taken_at >= $2 and taken_at < $3
group by step
order by step
