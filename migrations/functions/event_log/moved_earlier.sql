-- Whether a stream has an event after a version, wherever in the log: all up to the position `since` is known.
create or replace function event_log.moved_earlier(of_stream uuid, known bigint, since bigint) returns boolean
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
begin
  return exists (
    select from event_log.events x where x.stream_id = of_stream and x.version > known and x.position > since);
end $$;

revoke all on function event_log.moved_earlier from public;
