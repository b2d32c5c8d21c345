insert into keyring.erasures (subject, kind, requested_at, due, claim_code_hash, state)
values ($1, $2, $3, $4, $5, 'requested')
on conflict do nothing
