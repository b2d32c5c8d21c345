select pg_terminate_backend(pid) from pg_stat_activity
where application_name = 'lethe wake' and datname = current_database()
