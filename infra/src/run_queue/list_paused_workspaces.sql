-- Each is found from the one before.
with recursive paused (workspace_id, place) as (
  (select workspace_id, 1 from working.run_tasks
   where state = 'paused' and workspace_id > $1 order by workspace_id limit 1)
  union all
  select q.workspace_id, p.place + 1 from paused p cross join lateral (
    select q.workspace_id from working.run_tasks q
    where q.state = 'paused' and q.workspace_id > p.workspace_id order by q.workspace_id limit 1) q
  where p.place < $2)
select workspace_id from paused order by workspace_id
