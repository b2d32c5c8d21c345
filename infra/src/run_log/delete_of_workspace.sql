-- A batch of the logs of an erased workspace, from the run $2 on. Answers the last run of the batch; nothing: none is left.
with page as (
  select run_id, server_id, attempt, seq, day from working.run_log_chunks
  where workspace_id = $1 and run_id >= $2
  order by run_id limit 1000),
deleted as (
  delete from working.run_log_chunks c using page p
  where (c.run_id, c.server_id, c.attempt, c.seq, c.day) = (p.run_id, p.server_id, p.attempt, p.seq, p.day))
select run_id from page order by run_id desc limit 1
