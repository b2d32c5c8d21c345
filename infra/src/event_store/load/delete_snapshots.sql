-- A batch of the snapshots of an erased workspace's streams, by the commands after $2 that wrote them. Answers the last
-- command of the batch; nothing: none is left.
with page as (
  select command_id, stream_id from event_log.events
  where tenant_id = $1 and command_id > $2
  order by command_id limit 1000),
deleted as (
  delete from event_log.snapshots s where s.stream_id = any (array(select stream_id from page)))
select command_id from page order by command_id desc limit 1
