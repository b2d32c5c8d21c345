select owner from event_log.claims where kind = $1 and blind_index = $2
