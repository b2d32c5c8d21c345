update keyring.erasures set state = 'cancelled', cancelled_at = $2 where subject = $1 and state = 'requested'
