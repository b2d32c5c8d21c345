-- A batch of the queue of an erased workspace, from the run $2 on. Answers the last run of the batch; nothing: none is left.
with page as (
  select ctid as place, run_id from working.run_tasks
  where workspace_id = $1 and run_id >= $2
  order by run_id limit 1000),
deleted as (
  delete from working.run_tasks where ctid = any (array(select place from page)) and workspace_id = $1)
select run_id from page order by run_id desc limit 1
