create index on {table} (account_id, workspace_id)
