-- Whether a table has a row that the snapshot does not show.
select exists (select from keyring.keys
    where changed_by > '0' and changed_by >= pg_snapshot_xmin($1::text::pg_snapshot)
      and not pg_visible_in_snapshot(changed_by, $1::text::pg_snapshot))
  or exists (select from keyring.erasures
    where changed_by > '0' and changed_by >= pg_snapshot_xmin($1::text::pg_snapshot)
      and not pg_visible_in_snapshot(changed_by, $1::text::pg_snapshot))
  or exists (select from keyring.roots
    where changed_by > '0' and changed_by >= pg_snapshot_xmin($1::text::pg_snapshot)
      and not pg_visible_in_snapshot(changed_by, $1::text::pg_snapshot))
  or exists (select from keyring.email_generations
    where changed_by > '0' and changed_by >= pg_snapshot_xmin($1::text::pg_snapshot)
      and not pg_visible_in_snapshot(changed_by, $1::text::pg_snapshot))
  or exists (select from keyring.shards
    where changed_by > '0' and changed_by >= pg_snapshot_xmin($1::text::pg_snapshot)
      and not pg_visible_in_snapshot(changed_by, $1::text::pg_snapshot))
