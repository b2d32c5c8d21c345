insert into keyring.erasures (subject, kind, requested_at, due, claim_code_hash, state, append_pending)
values ($1, $2, $3, $4, $5, 'requested', $6)
on conflict do nothing
