select kind, blind_index from event_log.claims where owner = $1 order by kind, blind_index
