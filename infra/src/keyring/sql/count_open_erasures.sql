-- Of each at most 1,000 are counted.
select
  (select count(*) from (
    select from keyring.erasures where state in ('requested', 'fenced', 'destroyed')
    order by requested_at limit 1000) open) as count,
  (select requested_at from keyring.erasures where state in ('requested', 'fenced', 'destroyed')
    order by requested_at limit 1) as oldest,
  (select count(*) from (
    select from keyring.erasures where state in ('requested', 'fenced', 'destroyed') and requested_at <= $1
    order by requested_at limit 1000) late) as overdue
