-- Until when a seat is held. Who holds one is told by the log; renewing touches nothing but this row.
-- Times are the database's own.
create table working.seat_leases (
  lease_id     uuid        primary key,
  workspace_id uuid        not null,
  account_id   uuid        not null,
  fence        bigint      not null check (fence > 0),
  ttl_seconds  integer     not null check (ttl_seconds > 0),
  renewed_at   timestamptz not null,
  expires_at   timestamptz not null
);
create index seat_leases_by_end on working.seat_leases (expires_at);
create index seat_leases_of_workspace on working.seat_leases (workspace_id, expires_at);

grant select, insert, update, delete on working.seat_leases to lethe_app;
