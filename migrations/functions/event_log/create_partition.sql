-- Creates the partition of the positions `first` to `last`. It is attached, not created in place, which would block
-- readers and writers. The unique indexes are each partition's own, since they lack the partition key; across
-- partitions the lock of the log is the guard.
create or replace function event_log.create_partition(first bigint, last bigint) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare name text := format('events_%s', first);
begin
  execute format('create table event_log.%I (like event_log.events including all,
    constraint range check (position >= %s and position <= %s))', name, first, last);
  execute format('create unique index on event_log.%I (stream_id, version)', name);
  execute format('create unique index on event_log.%I (tenant_id, command_id) where command_id is not null', name);
  execute format('create trigger keep_table before truncate on event_log.%I
    for each statement execute function event_log.keep()', name);
  execute format('alter table event_log.events attach partition event_log.%I for values from (%s) to (%s)',
    name, first, last + 1);
  -- the constraint spared the attach a scan of the table; kept, every append would parse it
  execute format('alter table event_log.%I drop constraint range', name);
end $$;

revoke all on function event_log.create_partition from public;
