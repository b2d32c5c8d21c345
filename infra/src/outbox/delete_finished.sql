delete from working.outbox
where mail_id in (
  select mail_id from working.outbox where finished_at < $1 order by finished_at limit $2)
