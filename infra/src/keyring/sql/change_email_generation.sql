update keyring.email_generations set state = $3, changed_at = $4 where generation = $1 and state = $2
