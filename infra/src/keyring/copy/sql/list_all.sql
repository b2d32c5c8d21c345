select row_to_json(t)::text from keyring.{table} t
where ({key}) > (select {key} from json_populate_record(null::keyring.{table}, $1::text::json))
order by {key}
limit $2
