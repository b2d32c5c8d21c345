-- The version of a stream that has no event in the log's recent part: 0 when it has no event at all, -1 when it is of
-- another tenant or aggregate.
create or replace function event_log.older_version(of_stream uuid, of_tenant uuid, of_type text) returns bigint
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
  since bigint;
begin
  select s.position into since from event_log.streams s where s.stream_id = of_stream;
  if not found then
    return 0;
  end if;
  return coalesce((
    select case when (x.tenant_id, x.stream_type) = (of_tenant, of_type) then x.version else -1 end
    from event_log.events x where x.stream_id = of_stream and x.position >= since
    order by x.version desc limit 1), 0);
end $$;

revoke all on function event_log.older_version from public;
