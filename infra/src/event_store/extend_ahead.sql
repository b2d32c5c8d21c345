select event_log.create_partitions_ahead($1)
