-- A page of the mails that were queued before the last failover. One that was due at it may have been claimed on the server
-- that was lost, and one that was never put off was due, whatever the clocks say. One that was put off had not gone: clocks
-- may be 10 s apart.
with page as (
  select o.mail_id, o.next_at <= f.noted_at + interval '10 s' or o.next_at = o.created_at as is_in_doubt
  from working.last_failover f join working.outbox o on o.state = 'queued' and o.failovers < f.failovers
  limit $2
  for update of o skip locked),
given_up as (
  update working.outbox set state = 'unknown', finished_at = $1, trouble = 'the database failed over'
  where mail_id = any (array(select mail_id from page where is_in_doubt))),
kept as (
  update working.outbox o set failovers = f.failovers from working.last_failover f
  where mail_id = any (array(select mail_id from page where not is_in_doubt)))
select count(*) as looked_at, count(*) filter (where is_in_doubt) as given_up from page
