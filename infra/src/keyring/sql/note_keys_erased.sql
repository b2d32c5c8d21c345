-- A database that goes on with other commits than those it is known by may have lost keys of this subject, and no rotation
-- has noticed yet: then any root may have wrapped them. The lock meets a rotation that notices it now.
update keyring.erasures
set state = 'destroyed', destroyed_at = $2, keys = $3,
  runs_left = case kind when 'workspace' then coalesce(runs_left, '{}') end,
  runs_left_servers = case kind when 'workspace' then coalesce(runs_left_servers, '{}') end,
  last_root = greatest($4, (
    select case
      when history <> keyring.history() or lsn > pg_current_wal_insert_lsn() then (select max(root_id) from keyring.roots)
      else nullif(newest_root, 0) end
    from keyring.shard_history for share))
where subject = $1 and state = 'fenced'
