-- Which timers have work. Each part reads the first entry of an index, or the tasks that are at work, or 1,000 lost ones.
-- The first entry is read by an order and a limit: where only a condition is asked for, a plan for any time reads the table,
-- and on an idle node all of it. A failover is noted before most of what is done after it: nobody reads the answer.
select
  working.note_failover() as through,
  extract(epoch from (select min(expires_at) from working.seat_leases) - clock_timestamp())::float8 as seat_seconds,
  exists (
    select from (select next_at from working.outbox where state = 'queued' order by next_at limit 1) mail
    where next_at <= $1) as mails,
  exists (select from working.outbox where state = 'sending' and lease_until <= clock_timestamp())
    or exists (
      select from (
        select finished_at from working.outbox where finished_at is not null order by finished_at limit 1) mail
      where finished_at < $2) as outbox,
  exists (
      select from (
        select least(idle_until, absolute_until) as until from working.sessions
        order by least(idle_until, absolute_until) limit 1) session
      where until <= $1)
    or exists (select from working.closings) as sessions,
  exists (
    select from (select until from working.invitations order by until limit 1) invitation
    where until <= $1) as invitations,
  exists (select from working.server_monitors where stopped_at is null) as monitors,
  exists (
      select from working.run_tasks
      where state = 'running' and coalesce(greatest(lease_until, next_at), '-infinity') <= statement_timestamp())
    or exists (
      select from working.run_tasks
      where state = 'lost' and coalesce(next_at, '-infinity') <= statement_timestamp()
        and (lease_until is null or lease_until <= statement_timestamp()))
    or exists (select from working.run_tasks where state = 'queued' and cancel) as runs,
  -- Where tasks wait: what is another value when one of them may have become free. A task is blocked by running and by
  -- lost ones. An order by leads along the index: a plan without it reads what is lost first.
  (select concat_ws(' ', newest.queued_at,
      (select concat_ws(' ', count(*), sum(hashtextextended(concat(run_id, server_id, attempt), 0)))
       from working.run_tasks where state = 'running'),
      (select count(*) from (
        select from working.run_tasks where state = 'lost' order by coalesce(next_at, '-infinity') limit 1000) lost))
   from (
    select queued_at from working.run_tasks
    where state = 'queued' and queued_at > '-infinity' order by queued_at desc limit 1) newest) as queue
