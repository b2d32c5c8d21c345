create index on {table} (account_id, opened_at desc, session_id desc) where closed_at is null
