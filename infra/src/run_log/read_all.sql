select seq, first_line, last_line, out_bytes, err_bytes, all_bytes, out_end, err_end, all_end,
  out_offset, err_offset, out_skip, err_skip, truncated, at, sealed
from (
  select c.*, sum(all_bytes) over (order by all_end) - all_bytes as before
  from (
    select * from working.run_log_chunks
    where run_id = $1 and server_id = $2 and attempt = $3 and workspace_id = $4 and all_end > $5
      and all_bytes > 0 and all_end - all_bytes < $8
      and day >= $9
    order by all_end
    limit $6) c) page
where before < $7
order by seq
