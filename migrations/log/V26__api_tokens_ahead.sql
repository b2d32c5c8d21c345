-- The row of an API token is written before the event that names it. Those that are there have their event.
-- A dump holds this table while it runs: better this fails, and is started again after it.
set local lock_timeout = '10s';

alter table working.api_tokens add column named boolean not null default true;
create index api_tokens_unnamed on working.api_tokens (issued_at) where not named;
