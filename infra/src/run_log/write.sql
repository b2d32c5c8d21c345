-- Whoever takes the task over changes its row, and so waits for this, or this for that.
with task as materialized (
  select run_id from working.run_tasks
  where run_id = $1 and server_id = $2 and attempt = $3 and workspace_id = $4 and fence = $5
  for share),
written as (
  insert into working.run_log_chunks (run_id, server_id, attempt, workspace_id, fence, seq, day, at,
    first_line, last_line, out_bytes, err_bytes, all_bytes, out_end, err_end, all_end,
    out_offset, err_offset, out_skip, err_skip, truncated, sealed)
  select run_id, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20,
    $21, $22
  from task
  on conflict do nothing
  returning seq)
select exists (select from task) as held, exists (select from written) as written
