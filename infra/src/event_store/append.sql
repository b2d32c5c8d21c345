select head, refused, waited_seconds from event_log.append($1, $2)
