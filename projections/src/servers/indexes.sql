create index on {table} (workspace_id, registered_at desc, server_id desc)
