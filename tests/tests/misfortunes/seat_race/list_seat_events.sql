select event_type, data::text, recorded_at from event_log.events where stream_type = 'seats' order by position
