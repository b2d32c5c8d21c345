select event_log.fence($1, $2)
