delete from working.run_secrets s
where s.secrets_id = $1 and s.created_at = $2
  and not exists (select from working.run_tasks t where t.secrets_id = s.secrets_id)
