-- A programme older than this migration does not work after it: stop its nodes first. It cannot read a workspace that has
-- one of the new events, and looks for the secrets of API tokens where they are no more.
-- A dump holds this table while it runs: better this fails, and is started again after it.
set local lock_timeout = '10s';

-- What an API token is found by: more than one while it is rotated. Which of them work is the workspace's own state to say.
create table working.api_token_secrets (
  secret_id  uuid        primary key,  -- of the first one the token's own id
  token_id   uuid        not null references working.api_tokens on delete cascade,
  token_hash bytea       not null unique check (octet_length(token_hash) = 32),
  written_at timestamptz not null,
  version    bigint                    -- of the workspace that named it; 0: the token was issued with it; null: not known
);
create index api_token_secrets_of_token on working.api_token_secrets (token_id);
create index api_token_secrets_unnamed on working.api_token_secrets (written_at) where version is null;
insert into working.api_token_secrets (secret_id, token_id, token_hash, written_at, version)
select token_id, token_id, token_hash, issued_at, 0 from working.api_tokens;
grant select, insert, update, delete on working.api_token_secrets to lethe_app;

alter table working.api_tokens
  drop column token_hash,
  add column name_version bigint not null default 0;  -- of the workspace that gave it the name; 0: it was issued with it
