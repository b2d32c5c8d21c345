select root_id from keyring.keys k
where wrapped is not null and not exists (select from keyring.roots r where r.root_id = k.root_id)
limit 1
