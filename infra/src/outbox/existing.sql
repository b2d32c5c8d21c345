select mail_id from working.outbox where mail_id = any ($1)
