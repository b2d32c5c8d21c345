-- The first chunk of a log that is not over: $5 is the first day that is kept.
select seq, first_line, last_line, out_bytes, err_bytes, all_bytes, out_end, err_end, all_end,
  out_offset, err_offset, out_skip, err_skip, truncated, at
from working.run_log_chunks
where run_id = $1 and server_id = $2 and attempt = $3 and workspace_id = $4 and day >= $5
order by seq
limit 1
