-- Null until the first shard key is made.
select history <> keyring.history() or lsn > pg_current_wal_insert_lsn() as has_lost from keyring.shard_history
