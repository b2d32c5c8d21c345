update keyring.roots set state = 'retiring', retired_at = $1 where state = 'current'
