-- Working rows: what Lethe is in the middle of. They are not read models: nothing in the log could
-- make them again. Losing them signs everybody out, asks for new passwords and forgets unsent mail.
create schema working;
grant usage on schema working to lethe_app;

-- Password hashes. An event names its row by id; a row that no event names is swept.
create table working.credentials (
  credential_id uuid        primary key,
  account_id    uuid        not null,
  hash          text        not null check (hash like '$argon2id$%'),
  created_at    timestamptz not null,
  named         boolean     not null default false   -- an event that names it has been seen
);
create index credentials_of_account on working.credentials (account_id);
create index credentials_unnamed on working.credentials (created_at) where not named;

-- Live sessions: what a bearer token or a cookie is looked up in.
create table working.sessions (
  token_hash     bytea       primary key check (octet_length(token_hash) = 32),
  session_id     uuid        not null unique,
  account_id     uuid        not null,
  kind           text        not null check (kind in ('browser', 'client')),
  opened_at      timestamptz not null,
  last_used_at   timestamptz not null,
  idle_seconds   integer     not null check (idle_seconds > 0),
  idle_until     timestamptz not null,
  absolute_until timestamptz not null
);
create index sessions_of_account on working.sessions (account_id);
create index sessions_by_end on working.sessions (least(idle_until, absolute_until));

-- Sessions whose row is gone and whose end is not in the log yet.
create table working.closings (
  session_id uuid        primary key,
  account_id uuid        not null,
  reason     text        not null,
  cause      uuid,                                   -- the event that asked for it
  closed_at  timestamptz not null
);

create table working.operator_tokens (
  token_id   uuid        primary key,
  token_hash bytea       not null unique check (octet_length(token_hash) = 32),
  scope      text        not null check (scope in ('admin', 'audit')),
  issued_at  timestamptz not null,
  expires_at timestamptz not null,
  revoked_at timestamptz
);

-- Mails to be sent, one a cause and kind. The address stays sealed; links are made when sent.
create table working.outbox (
  mail_id     uuid        primary key,
  cause       uuid        not null,
  kind        text        not null,
  tenant_id   uuid        not null,
  account_id  uuid        not null,
  address     bytea       not null,
  proof_id    uuid,
  until       timestamptz,
  state       text        not null default 'queued'
              check (state in ('queued', 'sending', 'sent', 'failed', 'unknown')),
  attempts    integer     not null default 0,
  next_at     timestamptz not null,
  via         text        check (via in ('smtp', 'folder')),
  node        uuid,
  lease_until timestamptz,
  trouble     text,                                  -- a reply code or a word, never a value
  created_at  timestamptz not null,
  finished_at timestamptz,
  unique (cause, kind)
);
create index outbox_queued on working.outbox (next_at) where state = 'queued';
create index outbox_sending on working.outbox (lease_until) where state = 'sending';
create index outbox_finished on working.outbox (finished_at) where finished_at is not null;
create index outbox_of_account on working.outbox (account_id);

-- Whose turn it is to do what only one node needs to do. Two at once do no harm, only work.
create table working.turns (
  name  text        primary key,
  node  uuid        not null,
  until timestamptz not null
);

grant select, insert, update, delete on all tables in schema working to lethe_app;

-- A claim under the next generation of the blind index key, for whoever holds it under the present
-- one. False when another address has been claimed meanwhile.
create function event_log.reclaim(
  kind_new text, index_new bytea, kind_old text, index_old bytea, claimant uuid)
returns boolean language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform event_log.lock();
  insert into event_log.claims (kind, blind_index, owner)
  select kind_new, index_new, claimant
  where exists (
    select from event_log.claims c
    where (c.kind, c.blind_index, c.owner) = (kind_old, index_old, claimant))
  on conflict do nothing;
  return exists (
    select from event_log.claims c
    where (c.kind, c.blind_index, c.owner) = (kind_new, index_new, claimant));
end $$;

-- The claims of a generation whose key is gone: they name nobody any more.
create function event_log.release_generation(dead text) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare released bigint;
begin
  perform event_log.lock();
  delete from event_log.claims c where c.kind = dead;
  get diagnostics released = row_count;
  return released;
end $$;

revoke all on function event_log.reclaim(text, bytea, text, bytea, uuid) from public;
revoke all on function event_log.release_generation(text) from public;
grant execute on function event_log.reclaim(text, bytea, text, bytea, uuid) to lethe_app;
grant execute on function event_log.release_generation(text) to lethe_app;
