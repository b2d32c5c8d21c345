select keyring, number, token, written, written_token,
  coalesce(complete_at < clock_timestamp() - interval '1 minute', true) as is_old,
  clock_timestamp() as read_at
from keyring.copy
