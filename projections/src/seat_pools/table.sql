create table {table} (
  workspace_id   uuid        not null primary key,
  seat_limit     bigint      not null,
  limit_cause    text        not null,
  limit_event_id uuid        not null,   -- why the limit is what it is
  limit_position bigint      not null,
  limit_set_at   timestamptz not null,
  limit_actor    uuid,
  leases         json        not null,   -- by account
  position       bigint      not null
)
