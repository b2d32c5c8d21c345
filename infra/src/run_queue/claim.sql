select run_id, server_id, attempt, workspace_id, state, fence, secrets_id, launched, cancel,
  extract(epoch from deadline - clock_timestamp())::float8 as left_seconds,
  extract(epoch from clock_timestamp() - seen_at)::float8 as unseen_seconds,
  extract(epoch from clock_timestamp() - lost_at)::float8 as lost_seconds
from working.claim_run_tasks($1, $2, $3, $4, $5)
