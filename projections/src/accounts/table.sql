create table {table} (
  account_id           uuid        not null primary key,
  tenant_id            uuid        not null,
  version              bigint      not null,   -- of the stream: the ETag
  email                bytea,                  -- sealed, as are the other names and addresses
  email_verified       bool        not null,
  pending_email        bytea,
  pending_email_since  timestamptz,
  pending_email_until  timestamptz,
  name                 bytea,
  username             bytea,
  consents             json        not null,
  registered_at        timestamptz not null,
  unverified_used_at   timestamptz,            -- the last use; null: the address is verified, or an erasure requested
  erasure_requested_at timestamptz,
  erasure_due          timestamptz,
  erased_at            timestamptz,
  position             bigint      not null
)
