select * from keyring.erasures
where state in ('requested', 'fenced', 'destroyed') and due <= $1
order by due, subject
limit $2 offset $3
