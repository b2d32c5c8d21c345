select u.root_id from used u
where u.root_id is not null and not exists (select from keyring.roots r where r.root_id = u.root_id)
limit 1
