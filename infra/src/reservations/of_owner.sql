select kind, blind_index from event_log.reservations where owner = $1 order by kind, blind_index
