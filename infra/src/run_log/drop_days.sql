select working.drop_run_log_days($1)
