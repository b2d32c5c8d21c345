-- The rows of some keys, each with the number of its key; nulls for a key without a row. As of the same moment: the last event
-- of its stream in the log's recent part, and, where the row has every event from before that part, where the part begins (its
-- reader has come there, and the stream is not parked).
-- `offset 0`: each key is looked up by the index, whatever the tables' sizes are believed to be.
-- `(select $1)`: no plan can rest on how many keys there are, else one would be made for each call.
select {columns}, wanted.number as key_number, (
    select position from event_log.events
    where stream_id = wanted.stream and position >= event_log.recent_from()
    order by version desc limit 1) as last_in_stream,
  case when found.{key} is not null
    and (select c.position from readers.checkpoints c
      where (c.name, c.version) = ('{name}', {version})) >= event_log.recent_from()
    and not exists (select from readers.parked p
      where (p.reader, p.version, p.stream_id) = ('{name}', {version}, wanted.stream) and not p.replay)
  then event_log.recent_from() end as whole_before
from unnest((select $1::{key_type}[]), (select $2::uuid[])) with ordinality wanted (key, stream, number)
left join lateral (select * from read_models.{table} where {key} = wanted.key offset 0) found on true
