delete from readers.parked where reader = $1 and version = $2 and not replay and stream_id = $3
