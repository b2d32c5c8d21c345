with gone as (
  delete from working.run_tasks
  where run_id = $1 and server_id = $2 and attempt = $3 and state = 'lost'
  returning run_id, server_id, attempt, secrets_id),
deleted as (
  delete from working.run_secrets s using gone
  where s.secrets_id = gone.secrets_id
    and not exists (
      select from working.run_tasks t
      where t.secrets_id = s.secrets_id
        and (t.run_id, t.server_id, t.attempt) <> (gone.run_id, gone.server_id, gone.attempt)))
select exists (select from gone)
