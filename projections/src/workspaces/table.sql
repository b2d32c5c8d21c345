create table {table} (
  workspace_id uuid        not null primary key,
  tenant_id    uuid        not null,
  version      bigint      not null,   -- of the stream: the ETag
  name         bytea,                  -- sealed
  members      bigint      not null,
  created_at   timestamptz not null,
  deletion_due timestamptz,
  restricted_since timestamptz,        -- nobody owns it
  deleted_at   timestamptz,
  position     bigint      not null
)
