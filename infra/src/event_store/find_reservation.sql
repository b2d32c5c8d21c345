select owner from event_log.reservations where kind = $1 and blind_index = $2
