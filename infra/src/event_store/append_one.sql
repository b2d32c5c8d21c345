select at, waited_seconds from event_log.append_one($1)
