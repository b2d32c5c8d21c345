-- Deletes up to `at_most` reservations of a kind whose key no longer exists, in the order of their index, and answers
-- the last index. Null: there are none after `after`. Appends wait for one call only, and no call passes over what the
-- calls before it have deleted.
create or replace function event_log.delete_reservations_after(of_kind text, after bytea, at_most int) returns bytea
language plpgsql security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off as $$
declare last bytea;
begin
  select blind_index into last
  from (
    select r.blind_index from event_log.reservations r
    where r.kind = of_kind and r.blind_index > after
    order by r.blind_index limit at_most) next
  order by blind_index desc limit 1;
  if last is not null then
    perform event_log.lock();
    delete from event_log.reservations r
    where r.kind = of_kind and r.blind_index > after and r.blind_index <= last;
  end if;
  return last;
end $$;

revoke all on function event_log.delete_reservations_after from public;
grant execute on function event_log.delete_reservations_after to lethe_app;
