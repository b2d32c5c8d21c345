-- Whose commits the keyring's database goes on with. Another answer than before: a standby was promoted, or this database
-- or the log was restored, moved or copied, so that the last keys may be lost.
create or replace function keyring.history() returns text
language sql stable set search_path = pg_catalog, pg_temp as $$
  select concat_ws(' ',
    (select system_identifier from pg_control_system()),
    left(pg_walfile_name(pg_current_wal_insert_lsn()), 8),  -- the timeline
    (select oid from pg_database where datname = current_database()),
    'keyring.keys'::regclass::oid,
    coalesce((select restores from keyring.watermark), 0))
$$;

revoke all on function keyring.history from public;
grant execute on function keyring.history to lethe_app;
