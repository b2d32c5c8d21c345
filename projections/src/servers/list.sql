select server_id, workspace_id, version, name, host, port, login, host_key, proposals, credential, reach, watch,
  deployments, registered_at, position
from read_models.servers_v2
where workspace_id = $1
  and (registered_at, server_id) > ($2, $3) and (registered_at, server_id) < ($4, $5)
  and ($6::text is null or reach::jsonb ? $6)
