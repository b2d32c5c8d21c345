-- The trigger of the event table: events are neither changed nor deleted, by anybody. A position without its event would
-- stop every reader: what retention ends will be blanked, and keeps its position.
create or replace function event_log.keep() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  raise exception 'the log is not rewritten: % on % is refused', lower(tg_op), tg_table_name
    using errcode = 'insufficient_privilege';
end $$;

revoke all on function event_log.keep from public;
