create table {table} (
  session_id   uuid        not null primary key,
  account_id   uuid        not null,
  tenant_id    uuid        not null,
  kind         text        not null,
  ip           bytea       not null,   -- sealed
  user_agent   bytea       not null,   -- sealed
  opened_at    timestamptz not null,
  closed_at    timestamptz,
  close_reason text,
  version      bigint      not null,
  position     bigint      not null
)
