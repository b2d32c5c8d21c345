select seq, first_line, last_line, out_bytes, err_bytes, all_bytes, out_end, err_end, all_end,
  out_offset, err_offset, out_skip, err_skip, truncated, at, sealed
from (
  select c.*, sum(all_bytes) over (order by last_line) - all_bytes as before
  from (
    select * from working.run_log_chunks
    where run_id = $1 and server_id = $2 and attempt = $3 and workspace_id = $4 and last_line > $5
      and (out_bytes > 0 or $8 <> 'out') and (err_bytes > 0 or $8 <> 'err') and day >= $9
    order by last_line
    limit $6) c) page
where before < $7
order by seq
