select (c.task).run_id, (c.task).server_id, (c.task).attempt, (c.task).workspace_id, (c.task).state, (c.task).fence,
  (c.task).requester_id, (c.task).secrets_id, (c.task).launched, (c.task).cancel, (c.task).place, (c.task).kill_tries,
  extract(epoch from (c.task).deadline - clock_timestamp())::float8 as left_seconds,
  extract(epoch from clock_timestamp() - (c.task).seen_at)::float8 as unseen_seconds,
  extract(epoch from clock_timestamp() - (c.task).lost_at)::float8 as lost_seconds,
  c.through
from working.claim_run_tasks_fair($1, $2, $3, $4, $5, $6, $7, $8, $9) c
