insert into readers.parked (reader, version, generation, replay, stream_id, from_position, error)
values ($1, $2, $3,
  $3 <> coalesce((select generation from readers.checkpoints where name = $1 and version = $2), 0), $4, $5, $6)
on conflict (reader, version, generation, stream_id) do update
set from_position = excluded.from_position, error = excluded.error, released_at = null
