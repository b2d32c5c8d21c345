-- The standbys that are connected, and the slots of those that are not: up to where each has flushed the WAL. Null: it
-- did not say. Where the owner has not the rights of pg_read_all_stats, a standby shows only that it is there.
create or replace function keyring.standbys()
returns table (name text, flushed pg_lsn, visible boolean)
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select 'standby ' || coalesce(nullif(application_name, ''), 'process ' || pid), flush_lsn,
    pg_has_role(current_user, 'pg_read_all_stats', 'usage')
  from pg_stat_replication
  union all
  select 'slot ' || slot_name, restart_lsn, true from pg_replication_slots where slot_type = 'physical'
$$;

revoke all on function keyring.standbys from public;
grant execute on function keyring.standbys to lethe_app;
