select * from keyring.erasures
where state in ('fenced', 'destroyed')
order by due
