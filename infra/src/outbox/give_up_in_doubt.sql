-- Mails that may have been claimed on a server that was lost in a failover.
update working.outbox
set state = 'unknown', finished_at = $1, in_doubt = false, trouble = 'the database failed over'
where in_doubt and state = 'queued'
