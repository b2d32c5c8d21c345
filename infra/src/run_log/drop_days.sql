select working.drop_run_log_partitions($1)
