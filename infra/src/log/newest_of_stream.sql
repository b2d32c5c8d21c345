select position from event_log.events
where stream_id = $1 and event_type = any ($2) and position < $3
order by version desc
limit $4
