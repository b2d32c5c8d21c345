create table {table} (
  membership_id uuid        not null primary key,   -- of workspace and account
  workspace_id  uuid        not null,
  account_id    uuid        not null,
  role          json        not null,
  joined_at     timestamptz not null,
  position      bigint      not null
)
