-- Moves a batch of addresses to the next key of the blind index: reserves each under `kinds` and `indexes` for the owner
-- that has `olds` of the kind `from_kind` still. `begins` is the last index of the batch before it ('' for the first one),
-- `ends` the last one of this batch. Answers false, and moves nothing, where another node has moved on meanwhile.
create or replace function event_log.move_reservations(
  from_kind text, to_kind text, begins bytea, ends bytea, is_last bool,
  olds bytea[], kinds text[], indexes bytea[], owners uuid[])
returns boolean language plpgsql security definer set search_path = pg_catalog, pg_temp
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
begin
  perform event_log.lock();
  insert into event_log.reservation_move as m values (true, from_kind, to_kind, ends, is_last)
  on conflict (one) do update
  set kind_old = excluded.kind_old, kind_new = excluded.kind_new, through = excluded.through, complete = excluded.complete
  where case
    when (m.kind_old, m.kind_new) = (from_kind, to_kind) then m.through = begins and not m.complete
    else begins = ''
  end;
  if not found then
    return false;
  end if;
  insert into event_log.reservations (kind, blind_index, owner)
  select b.kind, b.blind_index, b.owner
  from unnest(olds, kinds, indexes, owners) as b (old, kind, blind_index, owner)
  where exists (
    select from event_log.reservations r where (r.kind, r.blind_index, r.owner) = (from_kind, b.old, b.owner))
  on conflict do nothing;
  return true;
end $$;

revoke all on function event_log.move_reservations from public;
grant execute on function event_log.move_reservations to lethe_app;
