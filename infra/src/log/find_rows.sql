-- The rows of some keys, in the order of the keys, each with the last event of its stream in the log's recent part; nulls
-- for a key without a row. `offset 0`: each key is looked up by the index, whatever the tables' sizes are believed to be.
-- `(select $1)`: no plan can rest on how many keys there are, else one would be made for each call.
select {columns}, (
    select position from event_log.events
    where stream_id = wanted.stream and position >= event_log.recent_from()
    order by version desc limit 1) as last
from unnest((select $1::{key_type}[]), (select $2::uuid[])) with ordinality wanted (key, stream, number)
left join lateral (select * from read_models.{table} where {key} = wanted.key offset 0) found on true
order by wanted.number
