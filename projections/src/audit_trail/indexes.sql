-- Of find.sql, one for each filter; a stream is found by the log's own index.
create index on {table} (tenant_id, position);
create index on {table} (actor, position) where actor is not null;
create index on {table} (event_type, position);
-- Of find_edge.sql, which alone reads the position as `position + 0`.
create index on {table} using brin (recorded_at, (position + 0)) with (autosummarize = on)
