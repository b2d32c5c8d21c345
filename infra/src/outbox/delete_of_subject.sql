delete from working.outbox where subject_id = $1
