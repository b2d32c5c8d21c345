-- The rows of the transactions that the snapshot $3 did not show, also of those that ran then and were committed later.
select row_to_json(t)::text from keyring.{table} t
where changed_by > '0' and changed_by >= pg_snapshot_xmin($3::text::pg_snapshot)
  and not pg_visible_in_snapshot(changed_by, $3::text::pg_snapshot)
  and (changed_by, {key}) > (
    select changed_by, {key} from json_populate_record(null::keyring.{table}, $1::text::json))
order by changed_by, {key}
limit $2
