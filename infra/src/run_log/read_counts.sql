-- As read_chunks.sql, without the lines.
select seq, first_line, last_line, out_bytes, err_bytes, all_bytes, out_end, err_end, all_end,
  out_offset, err_offset, out_skip, err_skip, truncated
from working.run_log_chunks
where run_id = $1 and server_id = $2 and attempt = $3 and workspace_id = $4 and seq > $5
order by seq
limit $6
