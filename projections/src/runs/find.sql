select run_id, tenant_id, deployment_id, work, state, run, on_servers, requested_by, requested_at,
  version, position
from read_models.runs
where run_id = $1 and tenant_id = $2
