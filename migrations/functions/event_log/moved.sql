-- The appends that a guard stands against: its stream has an event after the version that they were decided on. What was
-- known before the log's recent part began leaves a gap, and there the rest of the log is looked at.
create or replace function event_log.moved(guards event_log.new_guard[]) returns int[]
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
begin
  if cardinality(guards) = 0 then
    return '{}';
  end if;
  return array(
    select unnest(g.appends) from unnest(guards) g
    left join lateral (                       -- `limit`, so that no plan can join by scanning the log
      select true as newer from event_log.events x
      where x.stream_id = g.stream_id and x.version > g.version and x.position >= event_log.recent_from()
      limit 1) x on true
    where x.newer
      or g.after < event_log.recent_from() - 1 and event_log.moved_earlier(g.stream_id, g.version, g.after));
end $$;

revoke all on function event_log.moved from public;
grant execute on function event_log.moved to lethe_app;
