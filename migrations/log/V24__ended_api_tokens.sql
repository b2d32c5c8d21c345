-- A dump holds this table while it runs: better this fails, and is started again after it.
set local lock_timeout = '10s';

alter table working.api_tokens
  add column account_version bigint,   -- of the account's stream when it was issued; null: by an earlier version
  add column ended_by uuid;            -- the account's event that ended it: its revocation may be missing
create index api_tokens_of_account on working.api_tokens (account_id);
