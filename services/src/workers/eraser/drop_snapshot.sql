delete from event_log.snapshots where stream_id = $1
