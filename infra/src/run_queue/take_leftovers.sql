with due as (
  select run_id, server_id, attempt from working.run_leftovers
  where next_at <= statement_timestamp()
  order by next_at limit $1
  for update skip locked)
update working.run_leftovers t
set tries = t.tries + 1,
  next_at = clock_timestamp() + case t.tries when 0 then interval '6 hours' else interval '1 day' end
from due where (t.run_id, t.server_id, t.attempt) = (due.run_id, due.server_id, due.attempt)
returning t.run_id, t.server_id, t.attempt, t.workspace_id, t.place,
  t.left_at <= clock_timestamp() - interval '14 days' as is_last
