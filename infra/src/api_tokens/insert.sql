insert into working.api_tokens
  (token_id, token_hash, workspace_id, account_id, name, issued_at, expires_at, account_version)
select $1::uuid, $2::bytea, $3::uuid, $4::uuid, $5::bytea, $6::timestamptz, $7::timestamptz, $8::bigint
where not exists (select from event_log.fences where subject in ($3, $4))
on conflict (token_id) do nothing
returning issued_at
