select run_id, tenant_id, deployment_id, work, state, run, on_servers, requested_by, requested_at,
  version, position
from read_models.runs
where tenant_id = $1
  and ($2::text is null or state = $2)
  and ($3::uuid is null or on_servers::jsonb ? $3::text)
  and (requested_at, run_id) < ($4, $5)
order by requested_at desc, run_id desc
limit $6
