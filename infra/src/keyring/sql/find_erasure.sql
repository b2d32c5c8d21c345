select * from keyring.erasures where claim_code_hash = $1
