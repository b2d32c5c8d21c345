with moves as (
  select event_type, data::jsonb as data from event_log.events where stream_type = 'seats'),
held as (
  select coalesce(data->>'to', data->>'lease') as lease from moves
  where event_type in ('seat.lease_acquired', 'seat.lease_taken_over')
  except
  select coalesce(data->>'from', data->>'lease') from moves
  where event_type in ('seat.lease_taken_over', 'seat.lease_released', 'seat.lease_expired')),
rows as (select lease_id::text as lease from working.seat_leases)
select count(*) from held full join rows using (lease) where held.lease is null or rows.lease is null
