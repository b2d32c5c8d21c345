-- $1: the newest root in the store. No erasure that is not proven yet is said to need older ones only.
with newest as materialized (
  select greatest($1, max(root_id)) as root_id from keyring.roots
), raised as (
  update keyring.erasures e set last_root = newest.root_id
  from newest
  where state in ('destroyed', 'completed') and coalesce(last_root, 0) < newest.root_id
), noted as (
  update keyring.shard_history
  set history = keyring.history(), lsn = pg_current_wal_insert_lsn(), newest_root = newest.root_id
  from newest
)
update keyring.shards set state = 'tainted' where state = 'live'
