select server_id, workspace_id, version, name, host, port, login, host_key, credential, reach, deployments,
  registered_at, position
from read_models.servers
where workspace_id = $1 and (registered_at, server_id) < ($2, $3)
order by registered_at desc, server_id desc
limit $4
