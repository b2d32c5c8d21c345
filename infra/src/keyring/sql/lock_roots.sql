select pg_advisory_xact_lock(hashtextextended('keyring.roots', 0))
