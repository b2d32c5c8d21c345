insert into keyring.erasures (subject, requested_at, due, claim_code_hash, state)
values ($1, $2, $3, $4, 'requested')
on conflict do nothing
