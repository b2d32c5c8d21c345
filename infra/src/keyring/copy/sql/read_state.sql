select keyring, number, token, written, written_token,
  coalesce(complete_at < clock_timestamp() - interval '1 minute', true) as is_old,
  clock_timestamp() as read_at,
  pg_snapshot_xmax(pg_current_snapshot())::text::bigint as next_transaction
from keyring.copy
