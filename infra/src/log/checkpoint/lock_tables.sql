select pg_advisory_xact_lock('readers.checkpoints'::regclass::bigint)
