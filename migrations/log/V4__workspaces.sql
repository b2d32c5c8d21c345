-- Workspaces: tokens of their members, and invitations that are open.

-- What a token is looked up in. Whether it works at all is the workspace's own state to say.
create table working.api_tokens (
  token_id     uuid        primary key,
  token_hash   bytea       not null unique check (octet_length(token_hash) = 32),
  workspace_id uuid        not null,
  account_id   uuid        not null,
  name         bytea       not null,                 -- sealed under the workspace's key
  issued_at    timestamptz not null,
  expires_at   timestamptz not null,
  last_used_at timestamptz                           -- written once a minute at most
);
create index api_tokens_of_workspace on working.api_tokens (workspace_id);

-- Invitations whose own key is still to be forgotten.
create table working.invitations (
  invitation_id uuid        primary key,
  workspace_id  uuid        not null,
  until         timestamptz not null
);
create index invitations_by_end on working.invitations (until);
create index invitations_of_workspace on working.invitations (workspace_id);

-- Whose key seals the address: an account's, or an invitation's.
alter table working.outbox rename column account_id to subject_id;

grant select, insert, update, delete on working.api_tokens, working.invitations to lethe_app;
