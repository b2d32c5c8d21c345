create index on {table} (tenant_id, position);
create index on {table} (stream_id, position);
create index on {table} (actor, position) where actor is not null;
create index on {table} (event_type, position);
create index on {table} using brin (recorded_at)
