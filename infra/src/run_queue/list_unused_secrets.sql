-- A page of the secrets that were written by then, and whether a task needs them: many do while a long queue waits, so
-- that the page is limited and not what is found in it. A subquery without `exists`: it reads no other tasks.
select secrets_id, run_id, workspace_id, created_at,
  (select true from working.run_tasks t where t.secrets_id = page.secrets_id limit 1) is null as is_unused
from (
  select secrets_id, run_id, workspace_id, created_at from working.run_secrets
  where created_at < clock_timestamp() - make_interval(secs => $1)
    and (created_at, secrets_id)
      > (coalesce($3::timestamptz, '-infinity'), coalesce($4::uuid, '00000000-0000-0000-0000-000000000000'))
  order by created_at, secrets_id
  limit $2) page
order by created_at, secrets_id
