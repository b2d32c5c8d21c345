select s.secrets_id, s.run_id, s.workspace_id, s.created_at from working.run_secrets s
where s.created_at < clock_timestamp() - make_interval(secs => $1)
  and not exists (select from working.run_tasks t where t.secrets_id = s.secrets_id)
  and ($3::timestamptz is null or (s.created_at, s.secrets_id) > ($3, $4::uuid))
order by s.created_at, s.secrets_id
limit $2
