-- Adds what this node has stored of a workspace's logs on a day, unless the workspace is erased. Answers what all nodes
-- have stored.
with raised as (
  insert into working.run_log_usage as u (workspace_id, day, node, bytes)
  select $1::uuid, $2::date, $3::uuid, $4::bigint
  where not exists (select from event_log.fences where subject = $1)
  on conflict (workspace_id, day, node) do update set bytes = u.bytes + excluded.bytes
  returning bytes)
select (
  coalesce((select bytes from raised), 0)
  + coalesce((
      select sum(bytes) from working.run_log_usage
      where workspace_id = $1 and day = $2 and node <> $3), 0))::bigint as bytes
