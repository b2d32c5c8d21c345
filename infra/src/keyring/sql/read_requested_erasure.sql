select * from keyring.erasures
where subject = $1 and (state <> 'cancelled' or claim_code_hash = $2)
order by state = 'cancelled'
limit 1
