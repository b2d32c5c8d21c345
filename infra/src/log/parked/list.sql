select reader, version, stream_id, from_position, error, parked_at, released_at
from readers.parked
where not replay and (reader, version, stream_id) > ($1, $2, $3)
  and ($4::text is null or reader = $4)
order by reader, version, stream_id
limit $5
