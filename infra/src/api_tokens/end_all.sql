-- No node finds the token any more. The row says what is to be revoked.
update working.api_tokens
set ended_by = $2
where account_id = $1 and ended_by is null and account_version < $3
