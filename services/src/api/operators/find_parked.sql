select from_position from readers.parked
where reader = $1 and stream_id = $2 and not replay
order by version desc
limit 1
