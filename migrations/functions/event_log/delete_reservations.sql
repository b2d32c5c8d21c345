-- Deletes the reservations of a kind whose key no longer exists: they identify nobody. Answers how many there were.
create or replace function event_log.delete_reservations(of_kind text) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare deleted bigint;
begin
  perform event_log.lock();
  delete from event_log.reservations r where r.kind = of_kind;
  get diagnostics deleted = row_count;
  return deleted;
end $$;

revoke all on function event_log.delete_reservations from public;
grant execute on function event_log.delete_reservations to lethe_app;
