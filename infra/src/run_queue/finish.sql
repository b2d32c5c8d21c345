with done as (
  delete from working.run_tasks
  where run_id = $1 and server_id = $2 and attempt = $3 and fence = $4
  returning run_id, server_id, attempt, secrets_id)
delete from working.run_secrets s using done
where s.secrets_id = done.secrets_id
  and not exists (
    select from working.run_tasks t
    where t.secrets_id = s.secrets_id
      and (t.run_id, t.server_id, t.attempt) <> (done.run_id, done.server_id, done.attempt))
