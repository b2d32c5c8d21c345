insert into keyring.email_generations (generation, state, created_at, changed_at)
select 1, 'live', $1, $1 where not exists (select from keyring.email_generations)
on conflict do nothing
