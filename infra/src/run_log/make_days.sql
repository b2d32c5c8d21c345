select working.create_run_log_partitions($1, $2)
