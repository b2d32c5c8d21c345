delete from working.outbox where mail_id = $1
