select event_log.extend_ahead($1)
