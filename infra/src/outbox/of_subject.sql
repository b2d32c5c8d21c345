select mail_id from working.outbox where subject_id = $1
