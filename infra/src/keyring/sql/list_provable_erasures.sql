-- None before a rotation has noticed that keys may be lost.
select * from keyring.erasures
where state = 'completed' and (
    select count(*) = 0 from keyring.shard_history
    where history <> keyring.history() or lsn > pg_current_wal_insert_lsn())
  and coalesce(last_root, 0) < (
  select coalesce(min(root_id), 9223372036854775807) from keyring.roots where state <> 'destroyed' or escrow = 'held')
-- Along the index, which has them in this order.
order by coalesce(last_root, 0), due, subject
limit $1 offset $2
