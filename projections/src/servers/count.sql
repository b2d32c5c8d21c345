select count(*) from read_models.servers where workspace_id = $1
