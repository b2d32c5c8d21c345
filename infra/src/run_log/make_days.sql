select working.make_run_log_days($1, $2)
