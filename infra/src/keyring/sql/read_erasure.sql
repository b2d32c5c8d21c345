select * from keyring.erasures where subject = $1 order by state = 'cancelled', requested_at desc limit 1
