select event_log.reserve_again($1, $2, $3, $4, $5)
