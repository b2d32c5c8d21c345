-- A dump holds these tables while it runs: better this fails, and is started again after it.
set local lock_timeout = '10s';

-- A snapshot says where its event stands. One that an older programme has written is not used.
alter table event_log.snapshots add column position bigint;

-- Where each stream begins: a stream without a row has no events, which is found without looking into each partition. A
-- row whose events a restore took away says nothing: events are looked for from its position on.
create table event_log.streams (
  stream_id uuid   primary key,
  position  bigint not null                   -- of its first event
);
grant select on event_log.streams to lethe_app, lethe_retention;

-- From here on a trigger writes the rows, whichever programme appends (migrations/functions/event_log/record_stream.sql).
create function event_log.record_stream() returns trigger
language plpgsql as $$
begin
  insert into event_log.streams values (new.stream_id, new.position)
  on conflict (stream_id) do update set position = excluded.position;
  return null;
end $$;
create trigger record_stream after insert on event_log.events
  for each row when (new.version = 1) execute function event_log.record_stream();
alter table event_log.events enable always trigger record_stream;
