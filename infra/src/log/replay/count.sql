select count(*) from event_log.events where position > $1 and position <= $2
