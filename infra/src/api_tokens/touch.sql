update working.api_tokens set last_used_at = $2
where token_id = $1 and (last_used_at is null or last_used_at <= $3)
