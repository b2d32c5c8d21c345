select stream_id, from_position, released_at is not null
from readers.parked
where reader = $1 and version = $2 and replay = $3
