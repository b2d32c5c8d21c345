select keyring, number, token, written, written_token,
  -- Also one of the future, which a clock that ran ahead has written.
  coalesce(complete_at not between clock_timestamp() - interval '1 minute' and clock_timestamp(), true) as is_old,
  clock_timestamp() as read_at,
  pg_snapshot_xmax(pg_current_snapshot())::text::bigint as next_transaction
from keyring.copy
