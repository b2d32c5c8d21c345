-- The time is looked at once the row is locked: whoever waited for the reaper, even in vain, is too late. Whether what the
-- renewal was decided on has moved is asked in the same statement.
with locked as materialized (
  select lease_id, expires_at from working.seat_leases where lease_id = $1 and fence = $2 for update),
decided as materialized (
  select cardinality(event_log.moved(array(
    select row(array[0], g.stream_id, g.version, g.after)::event_log.new_guard
    from unnest($3::uuid[], $4::bigint[], $5::bigint[]) g (stream_id, version, after)))) = 0 as stands),
renewed as (
  update working.seat_leases held
  set renewed_at = clock_timestamp(), expires_at = clock_timestamp() + make_interval(secs => ttl_seconds)
  from locked, decided
  where held.lease_id = locked.lease_id and locked.expires_at > clock_timestamp() and decided.stands
  returning held.expires_at, held.ttl_seconds)
-- No row: the lease is over. A row without a time: it is to be decided again.
select renewed.expires_at, renewed.ttl_seconds
from decided left join renewed on true
where renewed.expires_at is not null or not decided.stands
