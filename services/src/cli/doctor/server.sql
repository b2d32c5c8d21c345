select current_setting('server_version'),
       current_setting('fsync')::bool,
       current_setting('data_checksums')::bool,
       coalesce((select ssl from pg_stat_ssl where pid = pg_backend_pid()), false)
         or coalesce(inet_client_addr() <<= '127.0.0.0/8' or inet_client_addr() = '::1', true),
       (select system_identifier from pg_control_system()),
       current_database()::text
