create table {table} (
  server_id     uuid        not null primary key,
  workspace_id  uuid        not null,
  version       bigint      not null,   -- of the stream: the ETag
  name          bytea       not null,   -- sealed, as are host and login
  host          bytea       not null,
  port          bigint      not null,
  login         bytea       not null,
  host_key      json        not null,
  proposals     json        not null,   -- announced host keys that nobody has approved
  credential    json        not null,
  reach         json        not null,
  watch         json        not null,
  deployments   json        not null,   -- their ids
  registered_at timestamptz not null,
  position      bigint      not null
)
