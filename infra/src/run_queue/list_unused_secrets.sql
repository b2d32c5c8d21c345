select s.secrets_id, s.run_id, s.workspace_id from working.run_secrets s
where s.created_at < clock_timestamp() - make_interval(secs => $1)
  and not exists (select from working.run_tasks t where t.secrets_id = s.secrets_id)
order by s.created_at
limit $2
