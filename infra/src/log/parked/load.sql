select stream_id, from_position, released_at is not null, generation
from readers.parked
where reader = $1 and version = $2
