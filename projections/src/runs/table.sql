create table {table} (
  run_id          uuid        not null primary key,
  tenant_id       uuid        not null,
  deployment_id   uuid,
  work            bytea       not null,   -- sealed: the command, or the steps of the deployment
  secret_names    bytea,                  -- sealed
  environment     bytea,                  -- sealed
  state           text        not null,
  run             json        not null,
  on_servers      json        not null,
  requested_by    uuid,
  requested_at    timestamptz not null,
  version         bigint      not null,
  position        bigint      not null
)
