delete from working.outbox where account_id = $1
