update keyring.erasures set state = 'fenced', fenced_at = $2, fenced_at_position = $3
where subject = $1 and state = 'requested'
