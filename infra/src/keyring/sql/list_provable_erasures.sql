select * from keyring.erasures e
where state = 'completed' and not exists (
  select from keyring.roots r where r.root_id <= e.last_root and (r.state <> 'destroyed' or r.escrow = 'held')
)
order by due
limit $1
