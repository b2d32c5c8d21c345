-- What the events' database holds, in one statement. At most 10,000 rows of each state are counted, 1,000 of mails and of
-- runs that wait or are lost, each in the order of an index: without an order PostgreSQL may choose to read the table, and
-- those it looks for may stand at its end.
-- $1 is the kind of the marks of addresses that cannot be read.
select
  (select count(*) from (
    select from working.outbox where state = 'queued' order by next_at limit 1000) mails) as mails_queued,
  (select count(*) from (
    select from working.outbox where state = 'sending' order by lease_until limit 1000) mails) as mails_sending,
  (select count(*) from (
    select from working.outbox where state = 'sent' and finished_at is not null
    order by finished_at limit 1000) mails) as mails_sent,
  (select count(*) from (
    select from working.outbox where state = 'failed' and finished_at is not null
    order by finished_at limit 1000) mails) as mails_failed,
  (select count(*) from (
    select from working.outbox where state = 'unknown' and finished_at is not null
    order by finished_at limit 1000) mails) as mails_unknown,
  (select count(*) from (
    select from working.run_tasks
    where state = 'queued' and queued_at > '-infinity' order by queued_at limit 1000) tasks) as runs_queued,
  (select count(*) from (
    select from working.run_tasks where state = 'running' order by server_id limit 10000) tasks) as runs_running,
  (select count(*) from (
    select from working.run_tasks
    where state = 'lost' and coalesce(next_at, '-infinity') < statement_timestamp() + interval '10 minutes'  -- not left
    order by coalesce(next_at, '-infinity') limit 1000) tasks) as runs_lost,
  coalesce(extract(epoch from clock_timestamp() - (
    select min(queued_at) from working.run_tasks
    where state = 'queued' and queued_at > '-infinity')), 0)::float8 as run_queue_seconds,
  (select count(*) from (
    select from working.run_leftovers order by next_at limit 10000) folders) as run_leftovers,
  (select count(*) from (
    select from working.seat_leases where expires_at > clock_timestamp()
    order by expires_at limit 10000) leases) as seat_leases,
  (select count(*) from (
    select from working.server_monitors where stopped_at is not null
    order by stopped_at limit 10000) servers) as watches_stopped,
  (select count(*) from (
    select from event_log.reservations where kind = $1 order by blind_index limit 10000) marks) as addresses_unreadable,
  (select through from event_log.reservation_move) as through,
  (select complete from event_log.reservation_move) as is_complete
