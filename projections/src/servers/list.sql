select server_id, workspace_id, version, name, host, port, login, host_key, credential, reach, deployments,
  registered_at, position
from read_models.servers
where workspace_id = $1
  and (registered_at, server_id) > ($2, $3) and (registered_at, server_id) < ($4, $5)
  and ($6::text is null or reach::jsonb ? $6)
