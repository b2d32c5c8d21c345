-- Writes where a stream begins. Where a restore took its events away, and it begins again, the later place counts.
create or replace function event_log.record_stream() returns trigger
language plpgsql as $$
begin
  insert into event_log.streams values (new.stream_id, new.position)
  on conflict (stream_id) do update set position = excluded.position;
  return null;
end $$;

revoke all on function event_log.record_stream from public;

create or replace trigger record_stream after insert on event_log.events
  for each row when (new.version = 1) execute function event_log.record_stream();
-- Also for whoever writes with session_replication_role = replica.
alter table event_log.events enable always trigger record_stream;
