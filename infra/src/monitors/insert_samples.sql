insert into working.server_samples (server_id, taken_at, cpu_share, memory_used, memory_total,
  disk_used, disk_total, load, uptime_seconds)
select s.server_id, s.taken_at, s.cpu_share, s.memory_used, s.memory_total,
  s.disk_used, s.disk_total, s.load, s.uptime_seconds
from unnest($1::uuid[], $2::bigint[], $3::timestamptz[], $4::float8[], $5::bigint[], $6::bigint[],
  $7::bigint[], $8::bigint[], $9::float8[], $10::bigint[])
  as s (server_id, fence, taken_at, cpu_share, memory_used, memory_total, disk_used, disk_total,
    load, uptime_seconds)
join working.server_monitors m on m.server_id = s.server_id and m.fence = s.fence
on conflict do nothing
