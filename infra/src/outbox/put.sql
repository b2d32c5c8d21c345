-- $10: so many of a kind within a day, to one person, and about one thing if $11. One more waits until the day of the
-- first of them is over, in place of another that waits so: the last of them is always sent. The rows stay for longer.
with about_it as (
  select mail_id, created_at, state = 'queued' and attempts = 0 and next_at > created_at and next_at > $9 as waits
  from working.outbox
  where $10::bigint is not null and subject_id = $5 and kind = $3
    and (not $11 or proof_id is not distinct from $7)
    and created_at > $9::timestamptz - interval '1 day'),
of_the_day as (
  select created_at from about_it where not waits order by created_at desc limit $10),
later as (
  select min(created_at) + interval '1 day' as next_at from of_the_day having count(*) >= $10),
replaced as (
  delete from working.outbox o using about_it a, later
  where o.mail_id = a.mail_id and a.waits and o.mail_id <> $1 and o.state = 'queued')
insert into working.outbox (mail_id, cause, kind, tenant_id, subject_id, address, proof_id, until,
  next_at, created_at)
select $1, $2, $3, $4, $5, $6, $7, $8, coalesce((select next_at from later), $9), $9
where not exists (select from event_log.fences where subject = $5)
on conflict do nothing
