select session_id from working.sessions where account_id = $1 and session_id is distinct from $2
