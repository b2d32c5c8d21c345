-- Creates a partition of `size` positions once the log is past the middle of its last partition. One node at a time.
-- Answers the last position that has a partition. What the log's recent part is follows the clock here, too.
create or replace function event_log.create_partitions_ahead(size bigint) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  last bigint;
  head bigint;
begin
  perform pg_advisory_xact_lock('event_log.reservations'::regclass::bigint);
  last := event_log.partitions_end();
  select coalesce(max(position), 0) into head from event_log.events;
  if head > last - size / 2 then
    perform event_log.create_partition(last + 1, last + size);
    last := last + size;
  end if;
  perform event_log.move_recent_from();
  return last;
end $$;

revoke all on function event_log.create_partitions_ahead from public;
grant execute on function event_log.create_partitions_ahead to lethe_app;
