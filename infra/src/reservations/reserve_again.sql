select event_log.reclaim($1, $2, $3, $4, $5)
