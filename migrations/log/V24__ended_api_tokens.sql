-- A programme older than this migration does not work after it: stop its nodes first. It would set a password without the
-- event that ends API tokens, and cannot read an account that has one of the new events.
-- A dump holds this table while it runs: better this fails, and is started again after it.
set local lock_timeout = '10s';

alter table working.api_tokens
  add column account_version bigint,   -- of the account's stream when it was issued
  add column ended_by uuid;            -- the account's event that ended it: its revocation may be missing
-- What an account has done until now ends none of its tokens.
update working.api_tokens t
set account_version = coalesce((select max(e.version) from event_log.events e where e.stream_id = t.account_id), 0);
alter table working.api_tokens alter column account_version set not null;
create index api_tokens_of_account on working.api_tokens (account_id);
create index api_tokens_ended on working.api_tokens (token_id) where ended_by is not null;

-- This worker reads types of events that are older than itself: it begins here. In an empty log it begins by itself.
insert into readers.checkpoints (name, version, kind, position)
select 'token_closer', 1, 'worker', max(position) from event_log.events having max(position) is not null;
