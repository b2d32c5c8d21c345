-- Keys of the copy that are others than the keyring's own in the same place. A key keeps the time of its making.
select count(*) from json_populate_recordset(null::keyring.keys, $1::text::json) c
join keyring.keys k using (kind, subject, class, number)
where c.wrapped is not null and k.wrapped is not null and c.created_at <> k.created_at
