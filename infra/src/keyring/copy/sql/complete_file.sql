update keyring.copy
set written = number, written_token = token, complete_at = $2, writing_until = null
where token = $1 and writing_until is not null
