-- At most 10,000 of each state are counted, each along an index.
select state, mails from (
  select 'queued' as state, count(*) as mails from (select from working.outbox where state = 'queued' limit 10000) counted
  union all
  select 'sending' as state, count(*) as mails from (select from working.outbox where state = 'sending' limit 10000) counted
  union all
  select 'sent' as state, count(*) as mails from (select from working.outbox where state = 'sent' limit 10000) counted
  union all
  select 'failed' as state, count(*) as mails from (select from working.outbox where state = 'failed' limit 10000) counted
  union all
  select 'unknown' as state, count(*) as mails from (select from working.outbox where state = 'unknown' limit 10000) counted) counts
where mails > 0
