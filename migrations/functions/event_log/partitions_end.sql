-- The last position that has a partition.
create or replace function event_log.partitions_end() returns bigint
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select max(substring(pg_get_expr(c.relpartbound, c.oid) from $re$TO \('?(\d+)'?\)$re$)::bigint) - 1
  from pg_inherits i join pg_class c on c.oid = i.inhrelid
  where i.inhparent = 'event_log.events'::regclass
$$;

revoke all on function event_log.partitions_end from public;
grant execute on function event_log.partitions_end to lethe_app;
