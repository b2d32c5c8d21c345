create table {table} (
  position    bigint      not null primary key,
  tenant_id   uuid        not null,
  actor       uuid,
  event_type  text        not null,
  recorded_at timestamptz not null
)
