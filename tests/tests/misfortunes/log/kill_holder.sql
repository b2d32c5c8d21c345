select pg_terminate_backend(pid) from event_log.lock_holder()
