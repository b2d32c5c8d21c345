delete from working.api_tokens where token_id = $1
