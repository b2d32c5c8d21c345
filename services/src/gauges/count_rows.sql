-- What the events' database holds, in one statement. At most 10,000 rows of each state are counted, each along an index.
-- $1 is the kind of the marks of addresses that cannot be read.
select
  (select count(*) from (select from working.outbox where state = 'queued' limit 10000) mails) as mails_queued,
  (select count(*) from (select from working.outbox where state = 'sending' limit 10000) mails) as mails_sending,
  (select count(*) from (select from working.outbox where state = 'sent' limit 10000) mails) as mails_sent,
  (select count(*) from (select from working.outbox where state = 'failed' limit 10000) mails) as mails_failed,
  (select count(*) from (select from working.outbox where state = 'unknown' limit 10000) mails) as mails_unknown,
  (select count(*) from (select from working.run_tasks where state = 'queued' limit 10000) tasks) as runs_queued,
  (select count(*) from (select from working.run_tasks where state = 'running' limit 10000) tasks) as runs_running,
  (select count(*) from (select from working.run_tasks where state = 'lost' limit 10000) tasks) as runs_lost,
  coalesce(extract(epoch from clock_timestamp() - (
    select min(queued_at) from working.run_tasks where state = 'queued')), 0)::float8 as run_queue_seconds,
  (select count(*) from (
    select from working.seat_leases where expires_at > clock_timestamp() limit 10000) leases) as seat_leases,
  (select count(*) from (select from event_log.reservations where kind = $1 limit 10000) marks) as addresses_unreadable,
  (select through from event_log.reservation_move) as through,
  (select complete from event_log.reservation_move) as is_complete
