-- A command that comes again within the day has the same secrets: they count as written now.
-- An erased workspace gets none, and the append after it is refused.
with put as (
  insert into working.run_secrets (secrets_id, run_id, workspace_id, sealed)
  select $1, $2, $3, $4
  where not exists (select from event_log.fences where subject = $3)
  on conflict (secrets_id) do update set created_at = clock_timestamp()
  returning created_at)
select coalesce((select created_at from put), clock_timestamp()) as created_at
