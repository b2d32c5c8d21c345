-- No node finds the token under another hash. The row says what is to be revoked.
update working.api_tokens
set token_hash = sha256(token_hash), ended_by = $2
where account_id = $1 and ended_by is null and account_version < $3
