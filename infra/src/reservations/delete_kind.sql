select event_log.delete_reservations($1)
