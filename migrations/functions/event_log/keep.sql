-- The trigger of the event table: events are neither changed nor deleted. Only the retention role may delete rows,
-- and never the newest, since positions are counted from it.
create or replace function event_log.keep() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if tg_op <> 'DELETE' or current_user <> 'lethe_retention' then
    raise exception 'the log is not rewritten: % on % is refused', lower(tg_op), tg_table_name
      using errcode = 'insufficient_privilege';
  end if;
  if old.position >= (select max(e.position) from event_log.events e) then
    raise exception 'the newest event is never deleted' using errcode = 'insufficient_privilege';
  end if;
  return old;
end $$;

revoke all on function event_log.keep from public;
