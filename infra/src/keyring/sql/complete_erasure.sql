update keyring.erasures set state = 'completed', completed_at = $2 where subject = $1 and state = 'destroyed'
