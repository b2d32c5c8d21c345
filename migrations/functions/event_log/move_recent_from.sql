-- Moves the beginning of the log's recent part, once the last event of its oldest partition is older than 30 days.
create or replace function event_log.move_recent_from() returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  head  bigint;
  start bigint;
begin
  select coalesce(max(e.position), 0) into head from event_log.events e;
  select p.first into start
  from pg_inherits i
  join pg_class c on c.oid = i.inhrelid
  cross join lateral (
    select bound[1]::bigint as first, bound[2]::bigint - 1 as last
    from regexp_match(pg_get_expr(c.relpartbound, c.oid), $re$FROM \('?(\d+)'?\) TO \('?(\d+)'?\)$re$) bound) p
  where i.inhparent = 'event_log.events'::regclass and (p.last >= head or coalesce((
    select e.recorded_at from event_log.events e
    where e.position between p.first and p.last order by e.position desc limit 1), 'infinity')
      > clock_timestamp() - interval '30 days')
  order by p.first limit 1;
  if start <> event_log.recent_from() then
    execute format($sql$
      create or replace function event_log.recent_from() returns bigint language sql stable as 'select %s::bigint'
    $sql$, start);
  end if;
end $$;

revoke all on function event_log.move_recent_from from public;
