select pg_advisory_unlock(hashtextextended('lethe.migrate', 0));
