update keyring.erasures set state = 'destroyed', destroyed_at = $2, keys = $3, last_root = $4
where subject = $1 and state = 'fenced'
