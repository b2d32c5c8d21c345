-- Those of $3 are not tried now. Each part is the first of its index: a plan for `exists` may read all erasures until it
-- finds one.
select (
    select true from keyring.erasures
    where append_pending and state = 'requested' and requested_at <= $1 and subject <> all ($3)
    order by requested_at limit 1) is not null
  or (
    select true from keyring.erasures
    where state in ('requested', 'fenced', 'destroyed') and due <= $2 and subject <> all ($3)
    order by due limit 1) is not null
  or (
    select true from keyring.erasures
    where state = 'completed' and subject <> all ($3) and (
      select count(*) = 0 from keyring.shard_history
      where history <> keyring.history() or lsn > pg_current_wal_insert_lsn())
      and coalesce(last_root, 0) < (
      select coalesce(min(root_id), 9223372036854775807) from keyring.roots
      where state <> 'destroyed' or escrow = 'held')
    order by coalesce(last_root, 0) limit 1) is not null
