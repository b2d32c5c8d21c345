insert into working.api_tokens (token_id, token_hash, workspace_id, account_id, name, issued_at, expires_at)
select $1::uuid, $2::bytea, $3::uuid, $4::uuid, $5::bytea, $6::timestamptz, $7::timestamptz
where not exists (select from event_log.fences where subject = $3)
on conflict (token_id) do nothing
