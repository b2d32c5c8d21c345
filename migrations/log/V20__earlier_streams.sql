-- The streams that began before V19. The log is read once; nodes append meanwhile, and the trigger of V19 writes what they
-- begin.
insert into event_log.streams
select stream_id, min(position) from event_log.events group by stream_id
on conflict do nothing;
