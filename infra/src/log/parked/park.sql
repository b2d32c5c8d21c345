insert into readers.parked (reader, version, replay, stream_id, from_position, error)
values ($1, $2, $3, $4, $5, $6)
on conflict (reader, version, replay, stream_id) do update
set from_position = excluded.from_position, error = excluded.error, released_at = null
