select generation, state, created_at from keyring.email_generations where state <> 'destroyed' order by generation
