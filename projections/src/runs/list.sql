select run_id, tenant_id, deployment_id, work, secret_names, environment, state, run, on_servers, requested_by,
  requested_at, version, position
from read_models.runs_v2
where tenant_id = $1
  and (requested_at, run_id) > ($2, $3) and (requested_at, run_id) < ($4, $5)
  and ($6::text is null or state = $6)
  and ($7::uuid is null or on_servers::jsonb ? $7::text)
  and ($8::uuid is null or requested_by = $8)
