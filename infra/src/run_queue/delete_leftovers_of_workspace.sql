-- As delete_tasks_of_workspace.sql, for the folders that its runs have left.
with page as (
  select ctid as tuple, run_id from working.run_leftovers
  where workspace_id = $1 and run_id >= $2
  order by run_id limit 1000),
deleted as (
  delete from working.run_leftovers where ctid = any (array(select tuple from page)) and workspace_id = $1)
select run_id from page order by run_id desc limit 1
