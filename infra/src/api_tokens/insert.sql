-- A command that comes again gets the token of the first time, which counts as written now, at the account's version of now.
with token as (
  insert into working.api_tokens
    (token_id, workspace_id, account_id, name, issued_at, expires_at, account_version, named)
  select $1::uuid, $3::uuid, $4::uuid, $5::bytea, $6::timestamptz, $7::timestamptz, $8::bigint, false
  where not exists (select from event_log.fences where subject in ($3, $4))
  on conflict (token_id) do update set issued_at = excluded.issued_at,
    account_version = greatest(api_tokens.account_version, excluded.account_version)
  where not api_tokens.named and api_tokens.ended_by is null
  returning token_id
)
insert into working.api_token_secrets (secret_id, token_id, token_hash, written_at, version)
select token_id, token_id, $2::bytea, $6, 0 from token
on conflict (secret_id) do nothing
