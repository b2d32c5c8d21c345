create table {table} (
  position       bigint      not null primary key,
  tenant_id      uuid        not null,
  stream_type    text        not null,
  stream_id      uuid        not null,
  version        bigint      not null,
  event_id       uuid        not null,
  event_type     text        not null,
  schema_version smallint    not null,
  actor          uuid,
  session        uuid,
  request        uuid,
  correlation    uuid,
  causation      uuid,
  subjects       uuid[]      not null,
  data           json        not null,
  sealed         bytea,
  recorded_at    timestamptz not null
)
