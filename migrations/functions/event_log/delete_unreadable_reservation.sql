-- Deletes the mark of an account that could not be read when the key of the blind index was replaced.
create or replace function event_log.delete_unreadable_reservation(of_index bytea, of_owner uuid) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform event_log.lock();
  delete from event_log.reservations r
  where (r.kind, r.blind_index, r.owner) = ('account.email.unreadable', of_index, of_owner);
end $$;

revoke all on function event_log.delete_unreadable_reservation from public;
grant execute on function event_log.delete_unreadable_reservation to lethe_app;
