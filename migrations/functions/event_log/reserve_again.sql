-- Reserves an address under the next key of the blind index too, for the owner that has it under the present key.
-- Answers false where the owner does not have it, or where another owner has the new one already.
create or replace function event_log.reserve_again(
  kind_new text, index_new bytea, kind_old text, index_old bytea, of_owner uuid)
returns boolean language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform event_log.lock();
  insert into event_log.reservations (kind, blind_index, owner)
  select kind_new, index_new, of_owner
  where exists (
    select from event_log.reservations r
    where (r.kind, r.blind_index, r.owner) = (kind_old, index_old, of_owner))
  on conflict do nothing;
  return exists (
    select from event_log.reservations r
    where (r.kind, r.blind_index, r.owner) = (kind_new, index_new, of_owner));
end $$;

revoke all on function event_log.reserve_again from public;
grant execute on function event_log.reserve_again to lethe_app;
