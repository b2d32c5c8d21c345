select event_log.release_generation($1)
