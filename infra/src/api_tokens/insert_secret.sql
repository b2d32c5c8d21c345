-- A command that comes again gets the secret of the first time, which counts as written now. One that was ended gets none.
with token as (
  update working.api_tokens set expires_at = greatest(expires_at, $5)
  where token_id = $2 and ended_by is null
  returning token_id
)
insert into working.api_token_secrets (secret_id, token_id, token_hash, written_at)
select $1::uuid, token_id, $3::bytea, $4::timestamptz from token
on conflict (secret_id) do update set written_at = excluded.written_at
where api_token_secrets.version is null
