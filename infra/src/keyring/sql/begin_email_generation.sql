insert into keyring.email_generations (generation, state, created_at, changed_at)
values ($1, 'writing', $2, $2)
on conflict do nothing
