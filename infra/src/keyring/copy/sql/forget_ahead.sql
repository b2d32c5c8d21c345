-- A few thousand at a time.
update keyring.{table} set changed_by = '0'
where ctid = any(array(
    select ctid from keyring.{table}
    where changed_by > '0' and changed_by >= pg_snapshot_xmax(pg_current_snapshot())
    limit 5000))
  and changed_by >= pg_snapshot_xmax(pg_current_snapshot())
