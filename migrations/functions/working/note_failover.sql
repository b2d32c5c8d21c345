-- Notes a failover that nobody has seen, and answers the position through which a mail may have gone although no row says so:
-- the log's end when the last one was noted; 0: none was.
create or replace function working.note_failover() returns bigint
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  -- Another value than before: a standby was promoted, or this database was restored, moved or copied.
  now_history text := concat_ws(' ',
    (select system_identifier from pg_control_system()),
    left(pg_walfile_name(pg_current_wal_insert_lsn()), 8),  -- the timeline
    (select oid from pg_database where datname = current_database()));
  noted       bigint;
begin
  select f.through into noted from working.last_failover f where f.history = now_history;
  if found or current_setting('transaction_read_only')::boolean then
    return coalesce(noted, 0);
  end if;
  insert into working.last_failover (history, through) values (now_history, 0) on conflict do nothing;
  update working.last_failover f
  set history = now_history, through = coalesce((select max(e.position) from event_log.events e), 0),
    failovers = f.failovers + 1, noted_at = clock_timestamp()
  where f.history <> now_history;
  return (select f.through from working.last_failover f);
end $$;

revoke all on function working.note_failover from public;
grant execute on function working.note_failover to lethe_app;
