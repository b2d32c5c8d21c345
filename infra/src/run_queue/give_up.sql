-- As finish.sql, whoever has it: the log says that the attempt has ended, also where its row does not yet say that it is
-- lost. A node that works at it writes nothing under its fence any more.
with given_up as (
  delete from working.run_tasks
  where run_id = $1 and server_id = $2 and attempt = $3
  returning run_id, server_id, attempt, secrets_id)
delete from working.run_secrets s using given_up
where s.secrets_id = given_up.secrets_id
  and not exists (
    select from working.run_tasks t
    where t.secrets_id = s.secrets_id
      and (t.run_id, t.server_id, t.attempt) <> (given_up.run_id, given_up.server_id, given_up.attempt))
