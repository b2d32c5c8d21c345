update keyring.erasures set state = 'backup_proven', backup_proven_at = $2 where subject = $1 and state = 'completed'
