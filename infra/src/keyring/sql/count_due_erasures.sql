select count(*) from (
  select from keyring.erasures
  where state in ('requested', 'fenced', 'destroyed') and due > $1 and due <= $2
  limit $3) due
