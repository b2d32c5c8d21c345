select pg_advisory_lock(hashtextextended('lethe.migrate', 0));
