select mail_id from working.outbox where account_id = $1
