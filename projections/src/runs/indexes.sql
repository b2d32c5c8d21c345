create index on {table} (tenant_id, requested_at desc, run_id desc)
