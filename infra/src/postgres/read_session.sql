select session_user::text, current_database()::text, current_user::text,
  (select setting::bigint from pg_settings where name = 'statement_timeout'),
  (select setting::bigint from pg_settings where name = 'lock_timeout'),
  (select setting::bigint from pg_settings where name = 'idle_in_transaction_session_timeout'),
  current_setting('jit')
