select * from keyring.erasures
where state = 'completed' and coalesce(last_root, 0) < (
  select coalesce(min(root_id), 9223372036854775807) from keyring.roots where state <> 'destroyed' or escrow = 'held')
order by due, subject
limit $1 offset $2
