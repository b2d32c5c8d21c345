-- As delete_tasks_of_workspace.sql, for the secrets that its runs were given.
with page as (
  select ctid as place, secrets_id from working.run_secrets
  where workspace_id = $1 and secrets_id >= $2
  order by secrets_id limit 1000),
deleted as (
  delete from working.run_secrets where ctid = any (array(select place from page)) and workspace_id = $1)
select secrets_id from page order by secrets_id desc limit 1
